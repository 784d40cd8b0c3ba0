// What the operator reads of connections that were refused: the first one at once, and of those behind it how many they were.

import { expect, jest, spyOn, test } from "bun:test";
import { createLogger } from "../lib/log.ts";
import { RefusedConnections } from "./refused-connections.ts";

test("the first is told at once, and a minute later how many followed, even when no more come", () => {
  jest.useFakeTimers();
  const clock = spyOn(performance, "now").mockReturnValue(1_000);
  try {
    const said: string[] = [];
    const log = createLogger({ level: "info", format: "json", write: (line) => said.push(line) });
    const refused = new RefusedConnections(log);
    for (const from of ["192.0.2.1", "192.0.2.2", "192.0.2.3"]) refused.add("MAX_CONNECTIONS", 7, from);
    const told = (): unknown[] => said.map((line) => JSON.parse(line) as unknown);
    expect(told()).toMatchObject([{ limit: "MAX_CONNECTIONS", most: 7, from: "192.0.2.1", times: 1 }]);
    clock.mockReturnValue(62_000);
    jest.advanceTimersByTime(1_000);
    expect(told().slice(1)).toMatchObject([{ from: "192.0.2.3", times: 2 }]);
    // The window that went on from it ends without a word.
    clock.mockReturnValue(123_000);
    jest.advanceTimersByTime(1_000);
    expect([told().length, refused["sweeping"]]).toEqual([2, undefined]);
  } finally {
    clock.mockRestore();
    jest.useRealTimers();
  }
});
