// Visitors that aren't read: looked at now and then, as nothing else tells that such a one has gone, and only as long as that can matter.

import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import { fakeVisitor, HeardExchange, requestText } from "../../test/helpers/fake-visitor.ts";
import { closeDescriptor, createPair } from "../lib/descriptor.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  const timers = jest.getTimerCount();
  jest.useRealTimers();
  expect(timers).toBe(0);
});

/** A visitor in the middle of an exchange that has stopped reading it; `leave` is its peer's. */
function paused() {
  const [fd, other] = createPair()!;
  const visitor = fakeVisitor((connection) => connection.begin(new HeardExchange()));
  Object.assign((visitor.connection as unknown as { socket: object }).socket, { fd });
  visitor.send(requestText("GET /"));
  visitor.connection.pauseReading();
  return { visitor, leave: () => closeDescriptor(other), [Symbol.dispose]: () => void closeDescriptor(fd) };
}

test.each([false, true])("one that has gone is noticed (raw: %p)", (isRaw) => {
  using one = paused();
  if (isRaw) one.visitor.connection.goRaw();
  jest.advanceTimersByTime(1_000);
  expect(one.visitor.did).toEqual(["pause"]);
  one.leave();
  jest.advanceTimersByTime(1_000);
  expect(one.visitor.did).toContain("terminate");
  one.visitor.connection.closed();
});

test.each(["resumeReading", "closed"] as const)("after %s nobody looks any more", (how) => {
  using one = paused();
  const look = spyOn(one.visitor.connection, "lookAgain");
  one.visitor.connection[how]();
  jest.advanceTimersByTime(1_000);
  expect(look).not.toHaveBeenCalled();
  one.leave();
});

test("so is one that has sent too much behind a request, while that runs and while its answer waits", () => {
  for (const isAnswered of [false, true]) {
    using one = paused();
    const { visitor } = one;
    visitor.connection.resumeReading();
    visitor.send("x".repeat(70_000));
    visitor.room = 0;
    if (isAnswered) visitor.connection.answer("not_found");
    one.leave();
    jest.advanceTimersByTime(1_000);
    expect(visitor.did.at(-1)).toBe("terminate");
    visitor.connection.closed();
  }
});

test("a raw connection that has our end already is left to its last bytes", () => {
  using one = paused();
  const { connection, did } = one.visitor;
  connection.goRaw();
  connection.shutdown();
  one.leave();
  jest.advanceTimersByTime(1_000);
  expect(did).not.toContain("terminate");
  connection.closed();
});
