// Every list of the OpenAPI document: paged to its end in every order that it offers, and no other order, limit or cursor.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createAudit } from "../../src/observe/audit.ts";
import { openAcme, type Acme, type Shown } from "../helpers/acme.ts";
import { describeEngines } from "../helpers/databases.ts";
import { callerOf, expectRefusal, type Operation, readOperations } from "../helpers/operations.ts";
import { login } from "../helpers/people.ts";
import { capturedRequest, liveTunnel } from "../helpers/tenants.ts";

setDefaultTimeout(120_000);

/** Of each thing: more than fit on a page of two. */
const count = 3;

describeEngines("lists", (open) => {
  let acme: Acme;
  let lists: Operation[];
  /** Ids for paths, by the first part behind /admin or /org. */
  let ids: Record<string, string>;
  beforeAll(async () => {
    acme = await openAcme(open);
    lists = (await readOperations(acme)).filter(({ query }) => query.some(({ name }) => name === "limit"));
    ids = await plant(acme);
  });
  afterAll(async () => acme[Symbol.asyncDispose]());

  const ask = (operation: Operation, query: Record<string, string>) => {
    const path = operation.path.replace("{id}", ids[operation.path.split("/")[2] ?? ""] ?? "");
    return acme.api.call("GET", `${path}?${String(new URLSearchParams(query))}`, callerOf(acme, operation));
  };
  /** The orders that a list says it has; an empty one for those with a single order. */
  async function ordersOf(operation: Operation): Promise<Record<string, string>[]> {
    if (!operation.query.some(({ name }) => name === "sort")) return [{}];
    const { error } = (await ask(operation, { sort: "nothing" })).body as { error: { message: string } };
    const names = /one of (.*), or/.exec(error.message)![1]!.split(", ");
    return names.flatMap((name) => [{ sort: name }, { sort: `-${name}` }]);
  }
  async function page(operation: Operation, query: Record<string, string>) {
    const { status, body, text } = await ask(operation, query);
    expect({ name: operation.name, query, status, text }).toMatchObject({ status: 200 });
    const { nextCursor, ...rest } = body as { nextCursor: string | null };
    const entries = Object.values(rest).filter((value): value is Shown[] => Array.isArray(value));
    expect({ name: operation.name, lists: entries.length }).toEqual({ name: operation.name, lists: 1 });
    return { nextCursor, shown: entries[0]!.map((entry) => JSON.stringify(entry)) };
  }

  test("each is read to its end page by page, in every order: nothing twice, nothing left out", async () => {
    for (const operation of lists) {
      for (const order of await ordersOf(operation)) {
        const { shown: all, nextCursor } = await page(operation, { ...order, limit: "200" });
        const at = { name: operation.name, ...order };
        expect({ ...at, nextCursor, enough: all.length >= count }).toEqual({ ...at, nextCursor: null, enough: true });
        const paged: string[] = [];
        for (let cursor: string | null = ""; cursor !== null;) {
          const next = await page(operation, { ...order, limit: "2", ...(cursor === "" ? {} : { cursor }) });
          expect({ ...at, long: next.shown.length > 2 }).toEqual({ ...at, long: false });
          paged.push(...next.shown);
          cursor = next.nextCursor;
        }
        expect({ ...at, paged }).toEqual({ ...at, paged: all });
      }
    }
    expect(lists.length).toBeGreaterThan(25);
  });

  describe("security", () => {
    test("no other order", async () => {
      for (const operation of lists) {
        if (!operation.query.some(({ name }) => name === "sort")) continue;
        for (const sort of ["nothing", "", "-", "--createdAt", "id", "__proto__", "-constructor", "created_at"])
          expectRefusal({ name: operation.name, sort }, await ask(operation, { sort }), "sort");
      }
    });

    test("no cursor but one of this list in this order, whatever is written in it", async () => {
      const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
      for (const operation of lists) {
        const orders = await ordersOf(operation);
        const refused = async (query: Record<string, string>, what: string): Promise<void> =>
          expectRefusal({ name: operation.name, what, ...query }, await ask(operation, query), "cursor");
        for (const cursor of ["", "x", "!", encode({}), encode(null), encode([]), encode(["nothing", 1, "id"])])
          await refused({ ...orders[0], cursor }, "garbage");
        for (const [i, order] of orders.entries()) {
          const { nextCursor } = await page(operation, { ...order, limit: "1" });
          if (orders.length > 1)
            await refused({ ...orders[(i + 1) % orders.length], cursor: nextCursor! }, "of another order");
          const [name, value, id] = JSON.parse(Buffer.from(nextCursor!, "base64url").toString()) as [
            string,
            unknown,
            string,
          ];
          // Text for a number and the other way round, and what neither engine has.
          const wrong = typeof value === "number" ? ["text", "1", 0.5, 1e300, null, [1]] : [7, null, ["a"], "a\0b"];
          for (const other of wrong)
            await refused({ ...order, cursor: encode([name, other, id]) }, JSON.stringify(other));
          for (const other of [7, null, "a\0b", undefined])
            await refused({ ...order, cursor: encode([name, value, other]) }, `id ${other}`);
        }
      }
    });
  });
});

/** `count` and more of everything that a list shows, and what has them. */
async function plant({ database, api, orgId, admin, boss, asAdmin, asBoss, createApp }: Acme) {
  const made = async (path: string, body: object, as = asAdmin): Promise<void> =>
    expect((await as("POST", path, body)).status).toBe(201);
  const app = await createApp();
  const audit = createAudit({ db: database.db, log: api.deps.log, flushMs: 5 });
  for (let i = 1; i <= count; i++) {
    await made("/org/accounts", { username: `member${i}` }, asBoss);
    await made("/admin/organizations", { name: `Organization ${i}` });
    await createApp();
    await made("/org/api-keys", { description: `key ${i}` }, asBoss);
    const owners = ["", `/accounts/${boss.id}`, `/organizations/${orgId}`, `/applications/${app.id}`];
    for (const owner of owners) await made(`/admin${owner}/whitelist`, { ipRange: `192.0.2.${i}` });
    for (const person of [admin, boss]) await login(api, person.username);
    audit.record({ action: "visitor.auth", orgId, identity: `visitor ${i}` });
    const tunnel = liveTunnel({ name: `tunnel-${i}`, orgId, appId: app.id, openedAtMs: api.clock.nowMs + i });
    api.tunnels.push(tunnel);
    api.requests.push(capturedRequest(tunnel, { startedAtMs: api.clock.nowMs + i }));
  }
  await audit.close();
  return { accounts: boss.id, organizations: orgId, applications: app.id };
}
