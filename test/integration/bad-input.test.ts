// Every operation of the OpenAPI document with everything that its schemas forbid: a 4xx that names the field and the rule,
// and repeats nothing of what was sent.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openAcme, type Acme } from "../helpers/acme.ts";
import type { CallOptions, TestAnswer } from "../helpers/api.ts";
import { badBodies, planted, type Schema } from "../helpers/bad-bodies.ts";
import { describeEngines, openTestSqlite } from "../helpers/databases.ts";
import { callerOf, expectRefusal, expectSilent, type Operation, readOperations } from "../helpers/operations.ts";
import { plantThings, type PlantedThings } from "./isolation-things.ts";

setDefaultTimeout(120_000);

describe("security", () => {
  let acme: Acme;
  let operations: Operation[];
  let withBody: (Operation & { body: object })[];
  beforeAll(async () => {
    acme = await openAcme(openTestSqlite);
    operations = await readOperations(acme);
    withBody = operations.filter((one): one is Operation & { body: object } => one.body !== null);
  });
  afterAll(async () => acme[Symbol.asyncDispose]());

  const send = (operation: Operation, options: CallOptions, query = ""): Promise<TestAnswer> => {
    const path = operation.path.replace(/\{\w+\}/g, "an_id") + query;
    return acme.api.call(operation.method, path, { ...callerOf(acme, operation), ...options });
  };

  /** What a change would leave behind. */
  const traces = async (): Promise<string> => {
    const changes = await acme.database.db.kysely.selectFrom("changes").select("id").execute();
    const { audited, closed, sent, hashes } = acme.api;
    return JSON.stringify([changes.length, audited.length, closed.length, sent.length, hashes]);
  };

  test("what a body's schema forbids is refused with field and rule, and changes nothing", async () => {
    const before = await traces();
    let count = 0;
    for (const operation of withBody) {
      for (const { what, body, field } of badBodies(operation.body)) {
        count++;
        expectRefusal({ name: operation.name, what }, await send(operation, { body: JSON.stringify(body) }), field);
      }
    }
    expect(count).toBeGreaterThan(1_000);
    expect(await traces()).toBe(before);
  });

  test("bodies that are no JSON, of another type or too large", async () => {
    const before = await traces();
    const type = (value: string): CallOptions => ({ body: "{}", headers: { "content-type": value } });
    const cases: [string, CallOptions, number, string][] = [
      ["broken", { body: `{"${planted}":` }, 400, "bad_request"],
      ["more than one", { body: `{}{"${planted}":1}` }, 400, "bad_request"],
      ["text", type("text/plain"), 415, "unsupported_media_type"],
      ["a form", type("multipart/form-data; boundary=x"), 415, "unsupported_media_type"],
      ["1 MiB and one byte", { body: `"${planted}`.padEnd(1024 * 1024, "x") + '"' }, 413, "payload_too_large"],
    ];
    for (const operation of withBody) {
      for (const [what, options, status, code] of cases) {
        const answer = await send(operation, options);
        const at = { name: operation.name, what };
        const error = { ...at, status: answer.status, error: answer.body["error"] };
        expect(error).toMatchObject({ ...at, status, error: { code } });
        expectSilent(at, answer);
      }
    }
    expect(await traces()).toBe(before);
  });

  test("what the schema of a query forbids is refused with field and rule", async () => {
    let count = 0;
    for (const operation of operations) {
      if (operation.query.length === 0) continue;
      const bad = operation.query.flatMap(
        ({ name, schema: { type, maxLength, minLength, enum: options, pattern } }) => [
          ...(maxLength === undefined ? [] : [[name, planted.repeat(maxLength)]]),
          ...(minLength === undefined ? [] : [[name, ""]]),
          ...(options === undefined && pattern === undefined ? [] : [[name, `${planted} `]]),
          ...(type === "integer" ? ["0", "-1", "100000", "abc", "1.5", "1e3"] : []).map((value) => [name, value]),
        ],
      );
      for (const [field = "", value = ""] of [...bad, ["notAField", planted]]) {
        count++;
        const answer = await send(operation, {}, `?${field}=${encodeURIComponent(value)}`);
        expectRefusal({ name: operation.name, field, value: value.slice(0, 20) }, answer, field);
      }
    }
    expect(count).toBeGreaterThan(400);
  });
});

// What JSON and URLs can carry, and a database may not like.
const nul = "a\0b";
const odds = "\ud800%_\\'\"";

describeEngines("odd texts", (open) => {
  let acme: Acme;
  let operations: Operation[];
  let things: PlantedThings;
  beforeAll(async () => {
    acme = await openAcme(open);
    operations = (await readOperations(acme)).filter(({ path }) => /^\/(admin|org)\//.test(path));
    things = plantThings(acme.database, acme.api, acme.orgId);
  });
  afterAll(async () => acme[Symbol.asyncDispose]());

  test("in every field of a body and a query: an answer, or a refusal; U+0000 is refused with the field's name", async () => {
    const failed: string[] = [];
    for (const operation of operations) {
      const isText = ({ type, enum: options }: Schema): boolean => type === "string" && options === undefined;
      const fields = Object.entries(operation.body?.properties ?? {}).filter(([, schema]) => isText(schema));
      const parameters = operation.query.filter(({ schema }) => isText(schema));
      if (fields.length + parameters.length === 0) continue;
      const { ids, entryId } = await things.createThings(operation.path);
      const id = ids[operation.path.split("/")[2] ?? ""] ?? "";
      const path = operation.path.replace("{id}", id).replace("{entryId}", entryId);
      const judge = async (name: string, odd: string, query: string, body?: object): Promise<void> => {
        const options = { ...callerOf(acme, operation), ...(body === undefined ? {} : { body }) };
        const { status, text, body: answer } = await acme.api.call(operation.method, path + query, options);
        const field = (answer["error"] as { field?: string } | undefined)?.field;
        const isFine = odd === nul ? status === 400 && field === name : status < 500;
        if (!isFine) failed.push(`${operation.name} ${name}: ${JSON.stringify(odd)}: ${status} ${text}`);
      };
      for (const [name] of fields) {
        for (const odd of [nul, odds])
          await judge(name, odd, "", { ...(things.bodyOf(operation.name) as object), [name]: odd });
      }
      for (const { name } of parameters) {
        for (const odd of [nul, odds]) await judge(name, odd, `?${name}=${encodeURIComponent(odd.toWellFormed())}`);
        for (const odd of ["%FF", "%"]) await judge(name, odd, `?${name}=${odd}`);
      }
    }
    expect(failed).toEqual([]);
  });
});
