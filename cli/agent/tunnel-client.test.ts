// One tunnel of an agent whose sessions are on paper: when another one is asked for, and how it stops.

import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import { tunnelWith } from "../../test/helpers/paper-tunnel.ts";
import type { Refusal } from "./refusal.ts";

let now = 0;
beforeEach(() => {
  now = 10_000;
  jest.useFakeTimers();
  spyOn(performance, "now").mockImplementation(() => now);
  // Pauses are half of what they may be.
  spyOn(Math, "random").mockReturnValue(0.5);
});
afterEach(() => {
  // A test may have gone back to real ones.
  jest.useFakeTimers();
  jest.clearAllTimers();
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const notFrom: Refusal = { code: "not_whitelisted", message: "Not from ::1.", retryable: false, retryAfterMs: null };

test("sessions that are lost one after the other are one failure: another is asked for once, as soon as for the first", () => {
  const { sessions, lose, isAskedAfter, told, asked } = tunnelWith(2);
  lose(sessions[0]);
  expect(told()).toEqual(["tunnel.ready", "session"]);
  jest.advanceTimersByTime(25);
  lose(sessions[1]);
  expect(told()).toEqual(["tunnel.lost"]);
  expect(isAskedAfter(100)).toBe(true);
  jest.advanceTimersByTime(60_000);
  expect(asked()).toBe(1);
});

test.each([
  [999, 1_000],
  [1_000, 125],
])("a tunnel that was up for %d ms since its first session asks for another after %d", (stoodMs, afterMs) => {
  const { client, sessions, lose, isAskedAfter } = tunnelWith(2);
  for (let failed = 0; failed < 3; failed++) client["backoff"].next();
  now += stoodMs - 1;
  client.ready();
  now += 1;
  lose(sessions[0]);
  expect(isAskedAfter(afterMs)).toBe(true);
});

test("however often it failed, a tunnel asks again within half a minute", () => {
  const { client, lose, isAskedAfter } = tunnelWith(1);
  for (let failed = 0; failed < 20; failed++) client["backoff"].next();
  lose();
  expect(isAskedAfter(15_000)).toBe(true);
});

test("the loss of one session says nothing of how long the tunnel has been up, nor does one that never was", () => {
  const { client, sessions, lose, isAskedAfter } = tunnelWith(3);
  lose(sessions[0]);
  expect(isAskedAfter(125)).toBe(true);
  client["working"] = false;
  now += 1_000;
  lose(sessions[1], { ...notFrom, retryable: true });
  expect(isAskedAfter(250)).toBe(true);
  client["working"] = false;
  lose(sessions[2]);
  expect(isAskedAfter(125)).toBe(true);
});

test("what is refused for good beside sessions that stand is asked for again after half a minute, whatever else is lost", () => {
  const { sessions, lose, isAskedAfter, told } = tunnelWith(3);
  lose(sessions[0], notFrom);
  expect(told()).toEqual(["tunnel.ready", "notice", "session"]);
  lose(sessions[1]);
  expect(told()).toEqual(["session"]);
  expect(isAskedAfter(30_000)).toBe(true);
});

test("when none stands any more it is asked for as after any loss, and not a second time", () => {
  const { client, sessions, lose, isAskedAfter, told, asked } = tunnelWith(2);
  lose(sessions[0], notFrom);
  lose(sessions[1]);
  expect(told()).toEqual(["tunnel.ready", "notice", "session", "tunnel.lost", "tunnel.retry"]);
  expect(isAskedAfter(250)).toBe(true);
  client["working"] = false;
  jest.advanceTimersByTime(60_000);
  expect(asked()).toBe(1);
});

test("who is told when to come back does not come before, whatever else is lost", () => {
  const { client, sessions, lose, isAskedAfter, asked } = tunnelWith(2);
  lose(sessions[0]);
  expect(isAskedAfter(125)).toBe(true);
  client["working"] = false;
  client["refused"]({ code: "rate_limited", message: "Not now.", retryable: true, retryAfterMs: 60_000 });
  lose(sessions[1]);
  expect([isAskedAfter(60_000), asked()]).toEqual([true, 2]);
});

test("the same of a server that wants to be left alone, while one session is on its way", () => {
  const { client, sessions, lose, isAskedAfter } = tunnelWith(2);
  Object.assign(sessions[1]!, { isReady: false });
  client.goAway(sessions[0]!, { reason: "moved", deadlineMs: 0, retryable: false });
  lose(sessions[1]);
  expect(isAskedAfter(5_000)).toBe(true);
});

test("the same of a session that is refused with when to come back", () => {
  const { lose, isAskedAfter } = tunnelWith(1);
  lose(undefined, { ...notFrom, retryable: true, retryAfterMs: 1_000 });
  expect(isAskedAfter(1_000)).toBe(true);
});

test("sessions that may be asked for again are asked for as a new start, once there is none", () => {
  const { client, sessions, lose, told } = tunnelWith(2);
  client["generation"] = 7;
  for (const generation of [7, 0]) {
    lose(sessions[generation === 7 ? 0 : 1], { ...notFrom, retryable: true });
    expect(client["generation"]).toBe(generation);
  }
  expect(told()).toEqual(["tunnel.ready", "session", "tunnel.lost"]);
});

test.each([
  [0, []],
  [1, ["The server allows 1 connection per tunnel; 3 were asked for."]],
  [2, ["The server allows 2 connections per tunnel; 3 were asked for."]],
  [3, []],
])("a server that grants %d sessions of three is told of when there are fewer", (sessions, told) => {
  const { client, notices } = tunnelWith(3);
  client["granted"](sessions);
  expect(notices).toEqual(told);
});

test("a tunnel that is stopped leaves each session once, those that the server has left, too, and ends when all are closed", async () => {
  jest.useRealTimers();
  const { client, sessions, did, lose, told } = tunnelWith(3);
  client.goAway(sessions[0]!, { reason: "drain", deadlineMs: 1_000, retryable: true });
  told();
  let isOver = false;
  const stopped = client.stop(50).then(() => (isOver = true));
  await client.stop(0);
  expect(did.splice(0)).toEqual(["leave 1 50", "leave 2 50", "leave 0 50"]);
  now += 50;
  const closed = ["close 1 1000 stopped", "close 2 1000 stopped", "close 0 1000 stopped"];
  await eventually(() => did.length === 3, "all are closed");
  expect(did).toEqual(closed);
  for (const session of [sessions[0]!, sessions[1]!]) lose(session, notFrom);
  // Longer than it looks again.
  await Bun.sleep(20);
  expect([isOver, told()]).toEqual([false, []]);
  lose(sessions[2]);
  await stopped;
  expect(await client.done).toEqual({ reason: "stopped" });
});

test("a tunnel that is stopped waits for a second for sessions that don't close", async () => {
  jest.useRealTimers();
  const { client, did } = tunnelWith(1);
  let isOver = false;
  const stopped = client.stop(0).then(() => (isOver = true));
  await eventually(() => did.length === 2, "it is closed");
  now += 999;
  // Longer than it looks again.
  await Bun.sleep(20);
  expect(isOver).toBe(false);
  now += 1;
  await stopped;
});
