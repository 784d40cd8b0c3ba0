// The door of sessions: whom a shard refuses, by which address, what it says to agents, and that the log has all of it.

import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { subprotocol } from "../../src/protocol/frames.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { registerRaw } from "../helpers/hostile-agent.ts";
import { onlyValue, requestOnce } from "../helpers/raw-client.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { beginTunnel, openTunnel } from "../helpers/tunnel-agent.ts";

setDefaultTimeout(30_000);

let server: ServerProcess;
beforeAll(async () => {
  server = await startServerProcess({ shards: 2, env: { AGENT_WHITELIST: "127.0.0.1", AUDIT_FLUSH_MS: "10ms" } });
});
afterAll(() => server[Symbol.asyncDispose]());

const offer = [`Sec-WebSocket-Protocol: ${subprotocol}`];

/** What an upgrade is answered with: the status, the error, and the id under which the log has it. */
async function upgrade(path: string, { localAddress = "127.0.0.1", more = offer } = {}) {
  const lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", ...more];
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const head = [`GET ${path} HTTP/1.1`, "Host: localhost", key, ...lines, "", ""].join("\r\n");
  const answer = await requestOnce({ port: server.port, localAddress }, head);
  const { error } = JSON.parse(answer.body.toString()) as { error: Record<string, unknown> };
  return { status: answer.status, error, requestId: onlyValue(answer, "X-Request-Id") };
}

type Entry = Record<"reason" | "identity" | "address" | "actorId" | "requestId", string | null> & { success: boolean };

async function entriesOf(action: string): Promise<Entry[]> {
  const { events } = await adminApi(server).must("GET", `/admin/audit?action=${action}&limit=100`);
  return events as Entry[];
}

/** The entry of one refused upgrade. */
async function entryOf(requestId: string): Promise<Entry> {
  let found: Entry | undefined;
  const look = async (): Promise<boolean> => {
    found = (await entriesOf("tunnel.session_refused")).find((entry) => entry.requestId === requestId);
    return found !== undefined;
  };
  await eventually(look, `the log has ${requestId}`, 10_000, 50);
  return found!;
}

describe("security", () => {
  test("the address is judged again by the session's own connection", async () => {
    const { path } = await registerRaw(server, "elsewhere");
    const refused = await upgrade(path, { localAddress: "127.0.0.2" });
    expect(refused).toMatchObject({ status: 403, error: { code: "not_whitelisted", retryable: false } });
    expect(refused.error["message"]).toContain("digit-link whitelist add 127.0.0.2");
    const whose = { reason: "not_whitelisted", success: false, address: "127.0.0.2", identity: "elsewhere" };
    expect(await entryOf(refused.requestId)).toMatchObject({ ...whose, actorId: expect.stringMatching(/^acc_/) });
    // The ticket is spent.
    expect(await upgrade(path)).toMatchObject({ error: { code: "bad_ticket", retryable: true } });
  });

  test("every refused upgrade says a code, a sentence and whether another try helps, and is in the log", async () => {
    const { path } = await registerRaw(server, "door");
    const bare = path.split("?")[0]!;
    const { path: older } = await registerRaw(server, "older");
    const newer = await registerRaw(server, "older");
    const ws = new WebSocket(`ws://localhost:${server.port}${newer.path}`, { protocols: [subprotocol] });
    await new Promise((resolve) => (ws.onmessage = resolve));
    const nothing = "?ticket=none";
    const answers = [
      [await upgrade(bare + nothing, { localAddress: "127.0.0.6" }), 403, "bad_ticket", true],
      // A server with fewer shards than when the ticket was given.
      [await upgrade(`/_tunnel/s/97${nothing}`), 404, "not_found", true],
      [await upgrade(path, { more: [] }), 426, "version_unsupported", false],
      [await upgrade(path, { more: [...offer, "Origin: https://evil.example"] }), 403, "forbidden", false],
      [await upgrade(path, { more: [...offer, "Sec-WebSocket-Key: another"] }), 400, "bad_request", false],
      [await upgrade(older), 409, "replaced", false],
    ] as const;
    ws.close();
    for (const [{ status, error }, wanted, code, retryable] of answers) {
      expect({ status, error }).toMatchObject({ status: wanted, error: { code, retryable } });
      expect(error["message"]).toMatch(/^[A-Z].*\.$/);
    }
    const codes = ["bad_ticket", "not_found", "version_unsupported", "forbidden", "bad_request", "replaced"];
    for (const code of codes) {
      const { requestId } = answers.find(([, , one]) => one === code)![0];
      expect(await entryOf(requestId)).toMatchObject({ reason: code, success: false });
    }
    expect(await entryOf(answers[5][0].requestId)).toMatchObject({ identity: "older" });
  });

  test("a flood of bad tickets is one entry", async () => {
    const flood = Array.from({ length: 50 }, (_, i) =>
      upgrade(`/_tunnel/s/0?ticket=${i}`, { localAddress: "127.0.0.3" }),
    );
    const ids = new Set((await Promise.all(flood)).map(({ requestId }) => requestId));
    const last = await upgrade("/_tunnel/s/0", { localAddress: "127.0.0.4" });
    // The log has what came after the flood.
    await entryOf(last.requestId);
    const told = (await entriesOf("tunnel.session_refused")).filter(({ requestId }) => ids.has(requestId ?? ""));
    expect(told).toMatchObject([{ reason: "bad_ticket", address: "127.0.0.3" }]);
  });
});

test("an agent that died with a ticket unused gives its name to another one of its account, and can't come back beside it", async () => {
  const { paths } = await registerRaw(server, "half-open", "agent-of-port-3000", 2);
  const first = new WebSocket(`ws://localhost:${server.port}${paths[0]}`, { protocols: [subprotocol] });
  await new Promise((resolve) => (first.onmessage = resolve));
  const other = () => registerRaw(server, "half-open", "agent-of-port-4000");
  expect(await other().catch(String)).toContain("name_in_use");
  first.close();
  const sessions = async (): Promise<number | undefined> => {
    const { tunnels } = await adminApi(server).must("GET", "/admin/tunnels");
    const all = tunnels as { subdomain: string; sessions: number }[];
    return all.find(({ subdomain }) => subdomain === "half-open")?.sessions;
  };
  await eventually(async () => (await sessions()) === 0, "the server knows that it went");
  const { path } = await other();
  expect(await upgrade(paths[1]!)).toMatchObject({ error: { code: "bad_ticket" } });
  const second = new WebSocket(`ws://localhost:${server.port}${path}`, { protocols: [subprotocol] });
  await new Promise((resolve) => (second.onmessage = resolve));
  second.close();
});

test("an agent whose sessions come from another address ends with the server's sentence", async () => {
  await using way = await startSplitWay(server.port, "127.0.0.5");
  await using service = startTaggedService("split");
  const origin = `http://localhost:${way.port}`;
  await using agent = beginTunnel({ ...server, origin, port: service.port, name: "split" });
  expect(await agent.done).toMatchObject({ reason: "refused", code: "not_whitelisted" });
  expect((await agent.until("refused")).message).toContain("digit-link whitelist add 127.0.0.5");
});

test("an agent that was just a moment late registers again", async () => {
  await using service = startTaggedService("late");
  // The first upgrade loses its ticket on the way.
  let sessions = 0;
  await using way = await startSplitWay(server.port, "127.0.0.1", (head) =>
    sessions++ === 0 ? head.replace(/ticket=[^ ]+/, "ticket=lost") : head,
  );
  const origin = `http://localhost:${way.port}`;
  await using agent = await openTunnel({ ...server, origin, port: service.port, name: "late", connections: 1 });
  expect(sessions).toBe(2);
  expect(agent.all("tunnel.retry")).toMatchObject([{ reason: expect.stringContaining("Register again") }]);
});

/** A way to the server on which sessions arrive from `address`, and registrations from here; `edit` may change their heads. */
async function startSplitWay(port: number, address: string, edit: (head: string) => string = (head) => head) {
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    client.once("data", (first: Buffer) => {
      const head = first.toString("latin1");
      const isSession = head.startsWith("GET /_tunnel/s/");
      const target = connect({ port, host: "127.0.0.1", ...(isSession ? { localAddress: address } : {}) });
      sockets.add(target);
      target.on("error", () => client.destroy()).on("close", () => client.destroy());
      target.write(isSession ? edit(head) : head, "latin1");
      client.pipe(target).pipe(client);
    });
    sockets.add(client);
    client.on("error", () => {});
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
