// Which session takes the next stream.

import { expect, test } from "bun:test";
import type { Session } from "./session.ts";
import { SessionChoice } from "./session-choice.ts";

class FakeSession {
  hasRoom = true;
  bulkStreams = 0;
  taken = 0;
  readonly streams = new Set<number>();
  readonly options: { agentId: string };
  constructor(agentId: string) {
    this.options = { agentId };
  }
}

/** One session per letter, which names its agent. */
function setUp(agents: string) {
  const sessions = [...agents].map((agentId) => new FakeSession(agentId));
  const choice = new SessionChoice(sessions as unknown as Session[]);
  choice.changed();
  const open = (count: number, haveEnded = false): number[] => {
    for (let i = 0; i < count; i++) {
      const session = choice.pick() as unknown as FakeSession;
      session.taken++;
      if (!haveEnded) session.streams.add(session.streams.size);
    }
    return sessions.map(({ taken }) => taken);
  };
  return { sessions, choice, open };
}

test("one session is kept for requests in a row, until it is much busier than another", () => {
  expect(setUp("aa").open(40)).toEqual([33, 7]);
  expect(setUp("aa").open(40, true)).toEqual([40, 0]);
});

test("one with bulk streams comes last", () => {
  const { sessions, open } = setUp("aa");
  open(1);
  sessions[0]!.bulkStreams = 1;
  expect(open(5)).toEqual([1, 5]);
});

test("agents that share a name take turns, also when each stream ends before the next one comes", () => {
  expect(setUp("ab").open(10)).toEqual([5, 5]);
  expect(setUp("aabb").open(8, true)).toEqual([2, 2, 2, 2]);
  const { sessions, open } = setUp("ab");
  for (let i = 0; i < 5; i++) sessions[0]!.streams.add(i);
  expect(open(5)).toEqual([0, 5]);
});

test("a full or leaving one gets nothing", () => {
  const { sessions, choice, open } = setUp("aab");
  sessions[0]!.hasRoom = sessions[2]!.hasRoom = false;
  expect(open(3)).toEqual([0, 3, 0]);
  sessions[1]!.hasRoom = false;
  expect(choice.pick()).toBeNull();
});
