// Agents at a server that refuses: names for good, sessions for good or for now.

import { expect, spyOn, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import { NOTICE } from "../../src/protocol/frames.ts";
import { TunnelClient } from "./tunnel-client.ts";
import type { AgentEvent } from "./types.ts";
import { outboxOf, startNamed, startPickyServer } from "../../test/helpers/picky-server.ts";

test("a tunnel that is refused for good leaves the others alone, and is the agent's end when that comes", async () => {
  await using picky = startPickyServer();
  const { agent, events } = startNamed(picky.server, ["web", "taken", "api"]);
  let isOver = false;
  void agent.done.then(() => (isOver = true));
  const said = () => events.map((event) => `${event.event} ${"subdomain" in event ? event.subdomain : ""}`).toSorted();
  await eventually(() => said().length === 3, "two tunnels are ready, one is refused");
  expect(said()).toEqual(["refused taken", "tunnel.ready api", "tunnel.ready web"]);
  expect(isOver).toBe(false);
  await agent.stop(0);
  expect(events).toHaveLength(3);
  expect(await agent.done).toEqual({ reason: "refused", code: "name_taken", message: "taken is taken." });
});

test("the agent ends by itself when the last one is refused, with the first tunnel's reason", async () => {
  await using picky = startPickyServer();
  const { agent } = startNamed(picky.server, ["taken1", "taken2"]);
  expect(await agent.done).toMatchObject({ reason: "refused", message: "taken1 is taken." });
});

const redirect = (status: number, location: string) => async () =>
  new Response("<h1>Moved</h1>", { status, headers: { location } });

test.each([
  [301, "https://tunnel.example/_tunnel/register", "to https://tunnel.example: use that as --server."],
  [302, "https://tunnel.example:8443/login?next=%2F", "to https://tunnel.example:8443: use that as --server."],
  [303, "//tunnel.example", "to http://tunnel.example: use that as --server."],
  [307, "https://tunnel.example", "to https://tunnel.example: use that as --server."],
  [308, "https://tunnel.example", "to https://tunnel.example: use that as --server."],
  [302, "/login", "to a page of its own: it is no digit-link server, or something in front of it wants a login."],
  [302, "javascript:alert(1)", "to nowhere: it is no digit-link server."],
  [302, "https://", "to nowhere: it is no digit-link server."],
])("a server that answers %d with %j is the end, and told where it leads", async (status, location, end) => {
  await using picky = startPickyServer(undefined, redirect(status, location));
  const { agent } = startNamed(picky.server, ["web"]);
  const message = `${picky.server} redirects ${end}`;
  expect(await agent.done).toEqual({ reason: "refused", code: "redirected", message });
  expect(picky.asked.registrations).toBe(1);
});

test("a redirect is no end for a tunnel that was up: a captive portal or a page of maintenance goes away", async () => {
  await using picky = startPickyServer(undefined, async (registration) =>
    registration === 2 ? redirect(302, "http://portal.example/login")() : undefined,
  );
  const { agent, events } = startNamed(picky.server, ["web"]);
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "it is up");
  picky.hangUp();
  await eventually(() => events.filter(({ event }) => event === "tunnel.ready").length === 2, "it is up again");
  expect(
    events.filter(({ event }) => event === "tunnel.retry").map((event) => "reason" in event && event.reason),
  ).toContain(`${picky.server} redirects to http://portal.example: use that as --server.`);
  await agent.stop(0);
});

test("any other refusal for good is the end of a tunnel that was up, too", async () => {
  const revoked = { code: "unauthorized", message: "The token was revoked.", retryable: false };
  await using picky = startPickyServer(undefined, async (registration) =>
    registration === 2 ? refusal(401, revoked)() : undefined,
  );
  const { agent, events } = startNamed(picky.server, ["web"]);
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "it is up");
  picky.hangUp();
  expect(await agent.done).toEqual({ reason: "refused", code: revoked.code, message: revoked.message });
});

test("a retry says which tunnel it is of: by the name that was asked for, and by its address once it has been up", async () => {
  await using picky = startPickyServer((session) =>
    session === 1 ? new Response("<h1>Wait</h1>", { status: 503 }) : undefined,
  );
  const { agent, events } = startNamed(picky.server, ["web"]);
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "it is up");
  picky.hangUp();
  await eventually(() => events.filter(({ event }) => event === "tunnel.ready").length === 2, "it is up again");
  await agent.stop(0);
  const ready = events.find((event) => event.event === "tunnel.ready");
  const retries = events.filter((event) => event.event === "tunnel.retry");
  expect(retries.map(({ url, subdomain }) => [url, subdomain])).toEqual([
    [null, "web"],
    [ready?.url ?? "", "web"],
  ]);
});

const refusal = (status: number, error: object) => () => Response.json({ error }, { status });
const notWhitelisted = { code: "not_whitelisted", message: "Agents may not connect from ::1.", retryable: false };

test.each([1, 2, 3])("%d sessions that are refused for good are the end, with one sentence", async (sessions) => {
  await using picky = startPickyServer(refusal(403, notWhitelisted));
  const { agent, events } = startNamed(picky.server, ["web"], sessions);
  const { code, message } = notWhitelisted;
  expect(await agent.done).toEqual({ reason: "refused", code, message });
  expect(events).toMatchObject([{ event: "refused", url: null, subdomain: "web", code, message }]);
  expect(picky.asked.registrations).toBe(1);
});

test.each([
  [
    "may help, says the server",
    refusal(403, { code: "bad_ticket", message: "Register again.", retryable: true }),
    /^Register again\.$/,
  ],
  ["is not spoken of", refusal(403, { code: "bad_ticket", message: "Register again." }), /^Register again\.$/],
  ["is asked of a proxy", () => new Response("<h1>Forbidden</h1>", { status: 403 }), /403/],
])("after a refused session the agent registers again when that %s", async (_, answer, told) => {
  await using picky = startPickyServer((session) => (session === 1 ? answer() : undefined));
  const { agent, events } = startNamed(picky.server, ["web"]);
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "it is up");
  expect(events.map(({ event }) => event)).toEqual(["tunnel.retry", "tunnel.ready"]);
  expect(events[0]).toMatchObject({ reason: expect.stringMatching(told) });
  expect(picky.asked.registrations).toBe(2);
  await agent.stop(0);
});

test("one session that is refused for good beside another that stands is told, and no end", async () => {
  await using picky = startPickyServer((session) => (session === 2 ? refusal(403, notWhitelisted)() : undefined));
  const { agent, events } = startNamed(picky.server, ["web"], 2);
  await eventually(() => events.some(({ event }) => event === "notice"), "it is told");
  await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "it is up");
  expect(events.find(({ event }) => event === "notice")).toMatchObject({ message: notWhitelisted.message });
  expect(events.some(({ event }) => event === "refused")).toBe(false);
  await agent.stop(0);
  expect(picky.asked.registrations).toBe(1);
});

test.each<[string, Response | undefined, AgentEvent["event"][]]>([
  ["stands", undefined, ["tunnel.ready", "notice"]],
  ["fails for now", new Response("<h1>Forbidden</h1>", { status: 403 }), ["notice", "tunnel.retry"]],
])("one session that is refused for good before another %s is told then, and no end", async (_, answer, told) => {
  const { promise, resolve } = Promise.withResolvers<Response | undefined>();
  using closed = spyOn(TunnelClient.prototype, "closed");
  await using picky = startPickyServer((session) => (session === 1 ? refusal(403, notWhitelisted)() : promise));
  const { agent, events } = startNamed(picky.server, ["web"], 2);
  await eventually(() => closed.mock.calls.length === 1, "one is refused");
  expect(events).toEqual([]);
  resolve(answer);
  await eventually(() => events.length >= 2, "it is told");
  expect(events.slice(0, 2).map(({ event }) => event)).toEqual(told);
  expect(events.find(({ event }) => event === "notice")).toMatchObject({ message: notWhitelisted.message });
  await agent.stop(0);
});

test("what the server says on each session of a tunnel is told once, and again at the next start", async () => {
  await using picky = startPickyServer();
  const { agent, events } = startNamed(picky.server, ["web"], 2);
  const ups = () => events.filter(({ event }) => event === "tunnel.ready" || event === "session").length;
  const say = (message: string) => picky.open.forEach((ws) => outboxOf(ws).session(NOTICE, { level: "warn", message }));
  const told = () => events.flatMap((event) => (event.event === "notice" ? [event.message] : []));
  await eventually(() => ups() === 2, "both sessions stand");
  say("Port taken.");
  say("Something else.");
  await eventually(() => told().includes("Something else."), "it is told");
  picky.hangUp();
  picky.open.clear();
  await eventually(() => events.filter(({ event }) => event === "tunnel.ready").length === 2, "it is up again");
  await eventually(() => picky.open.size === 2, "with both sessions");
  say("Something else.");
  say("Last.");
  await eventually(() => told().includes("Last."), "that is told, too");
  await agent.stop(0);
  expect(told()).toEqual(["Port taken.", "Something else.", "Something else.", "Last."]);
});

test("an agent of many tunnels registers sixteen at a time, each as soon as one before it is answered", async () => {
  const all = Promise.withResolvers<void>();
  const first = Promise.withResolvers<void>();
  await using picky = startPickyServer(undefined, (registration) => (registration === 1 ? first : all).promise);
  const names = Array.from({ length: 40 }, (_, i) => `web${i}`);
  const { agent, events } = startNamed(picky.server, names);
  await eventually(() => picky.asked.registrations >= 16, "all lanes are taken");
  first.resolve();
  await eventually(() => picky.asked.registrations >= 17, "the next one comes");
  all.resolve();
  await eventually(() => events.filter(({ event }) => event === "tunnel.ready").length === 40, "all are up");
  expect(picky.asked).toEqual({ registrations: 40, atOnce: 0, mostAtOnce: 16 });
  await agent.stop(0);
});

test("an agent that is stopped while tunnels wait for their turn ends at once and registers none of them", async () => {
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  await using picky = startPickyServer(undefined, () => answered);
  const { agent } = startNamed(
    picky.server,
    Array.from({ length: 40 }, (_, i) => `web${i}`),
  );
  await eventually(() => picky.asked.registrations === 16, "all lanes are taken");
  await agent.stop(0);
  expect(await agent.done).toEqual({ reason: "stopped" });
  answer();
  const later = startNamed(picky.server, ["later"]);
  await eventually(() => later.events.some(({ event }) => event === "tunnel.ready"), "another agent is up");
  expect(picky.asked).toMatchObject({ registrations: 17, atOnce: 0 });
  // What the others were granted too late they don't take.
  expect(picky.open.size).toBe(1);
  await later.agent.stop(0);
});

test("without a number of its own an agent opens as many sessions as the server grants, and replaces what is lost of them", async () => {
  await using picky = startPickyServer();
  const { agent, events } = startNamed(picky.server, ["web"], null);
  const told = () => events.filter((event) => event.event === "session");
  await eventually(() => told().at(-1)?.open === 3, "three are open");
  const before = told().length;
  [...picky.open][0]!.terminate();
  // All that was told, not the last of it: it may be back before anybody has looked.
  await eventually(() => told().length === before + 2, "one is lost, and back");
  expect(told().slice(before)).toMatchObject([{ open: 2 }, { open: 3 }]);
  expect([picky.wanted, picky.open.size, told().at(-1)?.wanted]).toEqual([[undefined, 1], 4, 3]);
  await agent.stop(0);
});

test("the pauses before the next try grow, until a session has stood for a second", async () => {
  const random = spyOn(Math, "random").mockReturnValue(0.01);
  const clock = spyOn(performance, "now");
  // Whole: of fractions a second more may be a hair less.
  let now = Math.ceil(performance.now());
  clock.mockImplementation(() => now);
  try {
    await using picky = startPickyServer();
    const { agent, events } = startNamed(picky.server, ["web"]);
    const pauses = () => events.filter((event) => event.event === "tunnel.retry").map(({ inMs }) => inMs);
    for (const [i, stoodMs] of [0, 999, 0, 1_000, 0].entries()) {
      await eventually(() => events.filter(({ event }) => event === "tunnel.ready").length > i, "it is up");
      now += stoodMs;
      picky.hangUp();
      await eventually(() => pauses().length > i, "it is lost");
    }
    // A hundredth of 250 ms, 500 ms, …, as chance has it here.
    expect(pauses()).toEqual([3, 5, 10, 3, 5]);
    await agent.stop(0);
  } finally {
    clock.mockRestore();
    random.mockRestore();
  }
});

test.each([
  ["are refused for now", refusal(403, { code: "bad_ticket", message: "Register again.", retryable: true })],
  ["a proxy doesn't let through", () => new Response("<h1>Forbidden</h1>", { status: 403 })],
])("sessions that %s have never stood: the pauses grow, to 30 s", async (_, refuse) => {
  const random = spyOn(Math, "random").mockReturnValue(0.01);
  const now = performance.now.bind(performance);
  // The process has run for longer than a session must stand.
  const clock = spyOn(performance, "now").mockImplementation(() => now() + 60_000);
  try {
    await using picky = startPickyServer((session) => (session <= 9 ? refuse() : undefined));
    const { agent, events } = startNamed(picky.server, ["web"]);
    await eventually(() => events.some(({ event }) => event === "tunnel.ready"), "it is up");
    const pauses = events.filter((event) => event.event === "tunnel.retry").map(({ inMs }) => inMs);
    expect(pauses).toEqual([3, 5, 10, 20, 40, 80, 160, 300, 300]);
    await agent.stop(0);
  } finally {
    clock.mockRestore();
    random.mockRestore();
  }
});

test("a server that says when to come back is not asked before", async () => {
  const busy = { code: "rate_limited", message: "Not now.", retryable: true, retryAfterMs: 60_000 };
  await using picky = startPickyServer(undefined, async () => refusal(429, busy)());
  const { agent, events } = startNamed(picky.server, ["web"]);
  const waits = () => events.filter((event) => event.event === "tunnel.retry").map(({ inMs }) => inMs);
  await eventually(() => waits().length > 0, "it waits");
  expect(waits()).toEqual([60_000]);
  await agent.stop(0);
});

test("a server that wants more patience than a timer has is not asked again at once", async () => {
  const busy = { code: "rate_limited", message: "Not this year.", retryable: true, retryAfterMs: 30_000_000_000 };
  await using picky = startPickyServer(undefined, async () => refusal(429, busy)());
  const { agent, events } = startNamed(picky.server, ["web"]);
  await eventually(() => events.some(({ event }) => event === "tunnel.retry"), "it waits");
  await using other = startPickyServer();
  const later = startNamed(other.server, ["web"]);
  await eventually(() => later.events.some(({ event }) => event === "tunnel.ready"), "another agent is up");
  expect(picky.asked.registrations).toBe(1);
  await Promise.all([agent.stop(0), later.agent.stop(0)]);
});
