// Sessions that end one after the other, or while the agent stops: what becomes of their streams, and of the tunnel.

import { expect, spyOn, test } from "bun:test";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { eventually } from "../../test/helpers/eventually.ts";
import { outboxOf, startNamed, startPickyServer, visitAgent } from "../../test/helpers/picky-server.ts";
import { closeCode, GO_AWAY, HEAD } from "../../src/protocol/frames.ts";

/** A service that answers when it is released. */
function startSlowService() {
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = 0;
  let left = 0;
  const service = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      begun++;
      request.signal.addEventListener("abort", () => left++);
      await promise;
      return new Response("at last");
    },
  });
  const asked = { begun: () => begun, left: () => left, release: resolve };
  return { ...asked, port: service.port ?? 0, [Symbol.asyncDispose]: () => service.stop(true) };
}

test("sessions that are lost while another one is asked for don't make the agent the rival of itself", async () => {
  using _ = spyOn(Math, "random").mockReturnValue(0.01);
  const { promise, resolve } = Promise.withResolvers<void>();
  await using picky = startPickyServer(undefined, (registration) => (registration === 2 ? promise : Promise.resolve()));
  const { agent, events } = startNamed(picky.server, ["web"], 2);
  await eventually(() => events.some((event) => event.event === "session" && event.open === 2), "both are open");
  const [first, second] = [...picky.open];
  first!.terminate();
  await eventually(() => picky.asked.registrations === 2, "it asks for another");
  second!.terminate();
  await eventually(() => events.some(({ event }) => event === "tunnel.lost"), "there is none left");
  // Longer than the next pause.
  await Bun.sleep(20);
  expect(picky.asked.registrations).toBe(2);
  resolve();
  await eventually(() => picky.asked.registrations === 3, "it asks for the second");
  // The server closes what is older than the generation that it is told.
  expect(new Set(picky.generations).size).toBe(1);
  await agent.stop(0);
});

test("sessions that are lost together are replaced together", async () => {
  using _ = spyOn(Math, "random").mockReturnValue(0.9);
  await using picky = startPickyServer();
  const { agent, events } = startNamed(picky.server, ["web"], 3);
  const open = () => events.findLast((event) => event.event === "session")?.open;
  await eventually(() => open() === 3, "three are open");
  for (const ws of [...picky.open].slice(0, 2)) ws.terminate();
  await eventually(() => picky.open.size === 5 && open() === 3, "both are back");
  expect(picky.wanted).toEqual([3, 2]);
  await agent.stop(0);
});

test("a tunnel is lost with the last session that stands, though another one is on its way", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  await using picky = startPickyServer((session) => (session === 1 ? undefined : promise));
  const { agent, events } = startNamed(picky.server, ["web"], 2);
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "one is open");
  picky.hangUp();
  await eventually(() => events.some(({ event }) => event === "tunnel.retry"), "it is lost");
  expect(events.map(({ event }) => event)).toEqual(["tunnel.ready", "tunnel.lost", "tunnel.retry"]);
  resolve(new Response());
  await agent.stop(0);
});

test("what was put off because another session stood is done at once when that is lost", async () => {
  const error = { code: "not_whitelisted", message: "Agents may not connect from ::1.", retryable: false };
  await using picky = startPickyServer((session) =>
    session === 2 ? Response.json({ error }, { status: 403 }) : undefined,
  );
  const { agent, events } = startNamed(picky.server, ["web"], 2);
  await eventually(() => events.some(({ event }) => event === "notice"), "one is refused");
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "one is open");
  picky.hangUp();
  await eventually(() => picky.asked.registrations === 2, "it registers again");
  await agent.stop(0);
});

test("a stop waits for what still runs on a session that the server has said good-bye to", async () => {
  await using service = startSlowService();
  // The next registration is never answered: no other session keeps the agent.
  await using picky = startPickyServer(undefined, (registration) =>
    registration === 2 ? Promise.withResolvers<void>().promise : Promise.resolve(),
  );
  const { agent } = startNamed(picky.server, ["web"], 1, service.port);
  await eventually(() => picky.open.size === 1, "it is up");
  const [ws] = [...picky.open];
  visitAgent(ws!, 1);
  await eventually(() => service.begun() === 1, "the request is there");
  outboxOf(ws!).session(GO_AWAY, { reason: "drain", deadlineMs: 30_000, retryable: true });
  await eventually(() => picky.asked.registrations === 2, "another session is asked for");
  let isStopped = false;
  const stopped = agent.stop(10_000).then(() => (isStopped = true));
  await Bun.sleep(20);
  expect(isStopped).toBe(false);
  service.release();
  await stopped;
  expect(picky.heard).toContainEqual({ type: HEAD, stream: 1 });
});

test.each([
  ["of one session", 1],
  ["of both", 2],
])("what an administrator disconnects is refused once, %s, and its streams end", async (_, told) => {
  await using service = startSlowService();
  await using picky = startPickyServer();
  const { agent, events } = startNamed(picky.server, ["web"], 2, service.port);
  await eventually(() => events.some((event) => event.event === "session" && event.open === 2), "both are open");
  const sessions = [...picky.open];
  for (const ws of sessions) visitAgent(ws, 1);
  await eventually(() => service.begun() === 2, "the requests are there");
  for (const ws of sessions.slice(0, told)) ws.close(closeCode.revoked, "disconnected_by_admin");
  const requests = () => events.filter(({ event }) => event === "request").length;
  await eventually(() => requests() === 2 && service.left() === 2, "the requests are given up");
  await eventually(() => sessions.every(({ readyState }) => readyState === WebSocket.CLOSED), "both are closed");
  expect(await agent.done).toMatchObject({ reason: "refused", code: "disconnected_by_admin" });
  expect(events.filter(({ event }) => event === "refused")).toHaveLength(1);
});

test("who stops the agent on hearing of a refusal still has it as the agent's end", async () => {
  await using picky = startPickyServer();
  const { agent } = startNamed(
    picky.server,
    ["taken"],
    1,
    9,
    (event) => void (event.event === "refused" && agent.stop()),
  );
  expect(await agent.done).toMatchObject({ reason: "refused", code: "name_taken" });
});

test("an agent that has stopped keeps no connection to the local service", async () => {
  const connections: Socket[] = [];
  const service = createServer((socket) => {
    connections.push(socket.on("error", () => {}));
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const { port } = service.address() as AddressInfo;
  await using picky = startPickyServer();
  const { agent } = startNamed(picky.server, ["web"], 1, port);
  await eventually(() => picky.open.size === 1, "it is up");
  visitAgent([...picky.open][0]!, 1);
  await eventually(() => picky.heard.some(({ type }) => type === HEAD), "the request is answered");
  expect(connections.map(({ readyState }) => readyState)).toEqual(["open"]);
  await agent.stop(0);
  // Who comes later is heard later.
  await fetch(`http://127.0.0.1:${port}`, { keepalive: false });
  expect(connections[0]!.readyState).not.toBe("open");
  service.close();
});

/** A server's answer that grants so many sessions. */
function granting(connections: number): Response {
  const session = { path: "/_tunnel/s/0", connections };
  const tickets = Array.from({ length: connections }, (_, i) => `ticket-${i}`);
  return Response.json({ subdomain: "web", url: "http://web", tunnelId: "t", tickets, session });
}

test("a server that grants no session is asked again, and one that grants fewer than wanted is told of", async () => {
  await using picky = startPickyServer(undefined, async (registration) => granting(registration - 1));
  const { agent, events } = startNamed(picky.server, ["web"], 4);
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "it is up");
  expect(events).toMatchObject([
    { event: "tunnel.retry", reason: "the server gave no session" },
    { event: "notice", message: "The server allows 1 connection per tunnel; 4 were asked for." },
    { event: "tunnel.ready" },
  ]);
  await agent.stop(0);
});

test("a server that grants any number of sessions is given eight", async () => {
  await using picky = startPickyServer(undefined, async () => granting(20));
  const { agent, events } = startNamed(picky.server, ["web"], null);
  const told = () => events.findLast((event) => event.event === "session");
  await eventually(() => told()?.open === told()?.wanted && told() !== undefined, "all are open");
  expect([told()?.wanted, picky.open.size]).toEqual([8, 8]);
  [...picky.open][0]!.terminate();
  await eventually(() => picky.asked.registrations === 2 && told()?.open === 8, "the lost one is replaced");
  // The one that was lost among them.
  expect([told()?.wanted, picky.open.size]).toEqual([8, 9]);
  await agent.stop(0);
});

test("a name and a port that the server has chosen are asked for again", async () => {
  const session = { path: "/_tunnel/s/0", connections: 1 };
  const chosen = { subdomain: "chosen", url: "http://chosen", tunnelId: "t", port: 20_001, tickets: ["one"], session };
  await using picky = startPickyServer(undefined, async () => Response.json(chosen));
  const { agent, events } = startNamed(picky.server, [null as unknown as string]);
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "it is up");
  picky.hangUp();
  await eventually(() => picky.bodies.length === 2, "it registers again");
  expect(picky.bodies[0]).not.toContainAnyKeys(["subdomain", "port"]);
  expect(picky.bodies[1]).toMatchObject({ subdomain: "chosen", port: 20_001 });
  await agent.stop(0);
});

const goAway = (message: object) => (ws: Bun.ServerWebSocket<undefined>) =>
  outboxOf(ws).session(GO_AWAY, { deadlineMs: 30_000, retryable: true, ...message });

test.each<[string, (ws: Bun.ServerWebSocket<undefined>) => void, string, number]>([
  ["of a server that restarts", goAway({ reason: "drain" }), "the server is restarting", 0],
  ["of one that has its reason", goAway({ reason: "moved" }), "moved", 0],
  ["of one that wants to be left alone", goAway({ reason: "moved", retryable: false }), "moved", 5_000],
  ["that is closed for a reason", (ws) => ws.close(4_999, "no more"), "no more", 0],
  [
    "that the server takes away",
    (ws) => ws.close(closeCode.revoked, "credential_revoked"),
    "its token or key was revoked or replaced",
    0,
  ],
  ["that is closed for none", (ws) => ws.close(4_999), "the connection closed (4999)", 0],
])("a session %s is told as lost with why, and another asked for as a new start", async (_, end, reason, leastMs) => {
  await using picky = startPickyServer();
  const { agent, events } = startNamed(picky.server, ["web"]);
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "it is up");
  end([...picky.open][0]!);
  await eventually(() => events.some(({ event }) => event === "tunnel.retry"), "it is lost");
  expect(events.slice(1, 3)).toMatchObject([
    { event: "tunnel.lost", reason },
    { event: "tunnel.retry", reason },
  ]);
  const [retry] = events.filter((event) => event.event === "tunnel.retry");
  expect(retry!.inMs).toBeWithin(leastMs, leastMs + 251);
  if (leastMs === 0) {
    await eventually(() => picky.generations.length === 2, "it registers again");
    expect(picky.generations[1]).toBeGreaterThan(picky.generations[0]!);
  }
  await agent.stop(0);
});
