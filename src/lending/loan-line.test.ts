// A line between two threads, here with both ends in one: many loans on one pair of sockets, each with its own bytes, credit and end.

import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import { createPair } from "../lib/descriptor.ts";
import { type LoanEnd, lineHandlers, LoanLine, type LoanMeta } from "./loan-line.ts";
import { type LoanOwner, LoanSocket } from "./loan-socket.ts";

/** Whoever answers: writes down what it hears. */
class Owner implements LoanOwner {
  socket!: LoanSocket;
  heard = "";
  drains = 0;
  ends: (string | null)[] = [];
  threwTimes = 0;
  onBytes = (_chunk: Buffer): void => {};
  onDrain = (): void => {};

  constructor(readonly meta: LoanMeta) {}

  received(chunk: Buffer): void {
    this.heard += chunk.toString();
    this.onBytes(chunk);
  }
  drain(): void {
    this.drains++;
    this.onDrain();
  }
  threw(): void {
    this.threwTimes++;
  }
  closed(error?: Error): void {
    this.ends.push(error?.message ?? null);
  }
}

/** Whoever lends. */
class Asker implements LoanEnd {
  id = 0;
  bytes = 0;
  heard = "";
  answers = 0;
  ends: boolean[] = [];
  threwTimes = 0;
  onBytes = (_count: number): void => {};
  onEnd = (): void => {};

  received(bytes: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    this.onBytes(end - start);
    if (this.bytes < 1_000) this.heard += bytes.toString("latin1", start, end);
  }
  answered(): void {
    this.answers++;
  }
  closed(isWhole: boolean): void {
    this.ends.push(isWhole);
    this.onEnd();
  }
  threw(): void {
    this.threwTimes++;
  }
  granted(): void {}
  drain(): void {}
}

const opened: LoanLine[] = [];
afterEach(() => {
  for (const line of opened.splice(0)) line.close();
});

const meta = { address: "192.0.2.1", secure: true, acceptedAtMs: 7 };

/** Both ends of a line. */
async function connect() {
  const owners = new Map<number, Owner>();
  const owing = new LoanLine((one, line, id) => {
    const owner = new Owner(one);
    owners.set(id, owner);
    return (owner.socket = new LoanSocket(line, id, owner));
  });
  const lending = new LoanLine(null);
  opened.push(owing, lending);
  const lend = (): Asker => {
    const asker = new Asker();
    asker.id = lending.lend(meta, asker);
    return asker;
  };
  // The first requests are there before the socket is.
  const early = lend();
  lending.write(early.id, Buffer.from("early"), 0, 5);
  const [a, b] = createPair()!;
  const open = (fd: number, data: LoanLine) =>
    Bun.connect({ fd, allowHalfOpen: true, data, socket: lineHandlers } as never) as Promise<unknown>;
  await Promise.all([open(a, lending), open(b, owing)]);
  const owner = async (id: number): Promise<Owner> => {
    await eventually(() => owners.has(id), "the loan is there");
    return owners.get(id)!;
  };
  const say = (id: number, text: string): void => lending.write(id, Buffer.from(text), 0, text.length);
  return { lending, owing, lend, early, owner, owners, say };
}

function write({ socket }: Owner, text: string): number {
  return socket.write(Buffer.from(text), 0, text.length);
}

test("what is said before the line stands arrives, and the owner knows whose it is", async () => {
  const { owner } = await connect();
  const one = await owner(1);
  await eventually(() => one.heard === "early", "its bytes");
  expect(one.meta).toEqual(meta);
});

test("a hundred loans carry their own requests and answers at once, several on each", async () => {
  const { lend, owner, say } = await connect();
  const askers = Array.from({ length: 100 }, lend);
  for (let round = 1; round <= 3; round++) {
    for (const { id } of askers) say(id, `${id}.${round};`);
    for (const asker of askers) {
      const one = await owner(asker.id);
      await eventually(() => one.heard.endsWith(`${asker.id}.${round};`), "the request");
      write(one, `answer ${one.heard}`);
      one.socket.complete();
    }
    await eventually(() => askers.every(({ answers }) => answers === round), "all answers");
  }
  for (const { id, heard } of askers)
    expect(heard).toBe(`answer ${id}.1;answer ${id}.1;${id}.2;answer ${id}.1;${id}.2;${id}.3;`);
});

test("an answer goes as far as its credit, and on when more is granted; others are not kept from theirs", async () => {
  const { lend, owner, lending } = await connect();
  const [slow, quick] = [lend(), lend()];
  const [large, small] = [await owner(slow.id), await owner(quick.id)];
  const bytes = Buffer.alloc(300 * 1024, "x");
  expect(large.socket.write(bytes, 0, bytes.length)).toBe(256 * 1024);
  expect(large.socket.write(bytes, 0, 1)).toBe(0);
  await eventually(() => slow.bytes === 256 * 1024, "a window");
  write(small, "small");
  small.socket.complete();
  await eventually(() => quick.answers === 1, "the small answer");
  expect([quick.heard, large.drains]).toEqual(["small", 0]);
  lending.grant(slow.id, 10);
  await eventually(() => large.drains === 1, "there is room");
  expect(large.socket.write(bytes, 0, 20)).toBe(10);
  expect(small.drains).toBe(0);
});

test("while the other thread takes nothing an answer waits at its owner, and goes on afterwards", async () => {
  const { lend, owner, owing, lending } = await connect();
  const askers = Array.from({ length: 8 }, lend);
  const owners = await Promise.all(askers.map(({ id }) => owner(id)));
  lending["socket"]!.pause();
  const bytes = Buffer.alloc(256 * 1024, "x");
  const taken = owners.map(({ socket }) => socket.write(bytes, 0, bytes.length));
  expect(taken.at(-1)).toBe(0);
  expect(owing["out"].bytes).toBeLessThan(1024 * 1024);
  lending["socket"]!.resume();
  await eventually(() => owners.at(-1)!.drains === 1, "the line takes more");
  expect(owners.at(-1)!.socket.write(bytes, 0, bytes.length)).toBe(bytes.length);
  await eventually(() => askers.at(-1)!.bytes === bytes.length, "the last one's bytes");
});

test("where a line is too slow for all answers each of them goes on", async () => {
  const { lend, owner, lending } = await connect();
  const askers = Array.from({ length: 8 }, lend);
  const bytes = Buffer.alloc(64 * 1024, "x");
  for (const asker of askers) {
    // Whoever asks takes all that comes at once, and an answer has no end.
    asker.onBytes = (count) => lending.grant(asker.id, count);
    const one = await owner(asker.id);
    one.onDrain = () => {
      while (one.socket.write(bytes, 0, bytes.length) === bytes.length);
    };
    one.onDrain();
  }
  await eventually(() => askers.some((asker) => asker.bytes > 16 * 1024 * 1024), "much has come");
  lending.close();
  for (const asker of askers) expect(asker.bytes).toBeGreaterThan(8 * 1024 * 1024);
});

test("an owner that pauses gets what comes meanwhile when it goes on, in order", async () => {
  const { early, owner, say } = await connect();
  const one = await owner(1);
  await eventually(() => one.heard === "early", "its bytes");
  one.onBytes = () => one.socket.pause();
  one.socket.pause();
  for (const text of ["b", "c"]) {
    say(early.id, text);
    write(one, text);
    await eventually(() => early.heard.endsWith(text), "the line has turned");
  }
  expect(one.heard).toBe("early");
  for (const heard of ["earlyb", "earlybc"]) {
    one.socket.resume();
    await eventually(() => one.heard === heard, "one more");
  }
});

test("an end behind an answer is told as that, a break as a break, each to the other end only and once", async () => {
  const { lend, owner, lending, say } = await connect();
  const [whole, broken, left] = [lend(), lend(), lend()];
  const owners = await Promise.all([whole, broken, left].map(({ id }) => owner(id)));
  write(owners[0]!, "all");
  owners[0]!.socket.end();
  owners[0]!.socket.terminate();
  owners[1]!.socket.terminate();
  lending.end(left.id, false);
  await eventually(() => whole.ends.length + broken.ends.length + owners[2]!.ends.length === 3, "the ends");
  expect([whole.heard, whole.ends, broken.ends, left.ends]).toEqual(["all", [true], [false], []]);
  expect(owners.map(({ ends }) => ends)).toEqual([[null], [null], ["whoever lent it has gone"]]);
  // Nothing is heard of them any more, and nothing said.
  say(whole.id, "more");
  expect([write(owners[0]!, "more"), write(owners[2]!, "more")]).toEqual([-1, -1]);
});

test("all loans of a line break with it, and nothing is heard twice", async () => {
  const { lend, owner, lending, owing } = await connect();
  const askers = [lend(), lend()];
  const owners = await Promise.all(askers.map(({ id }) => owner(id)));
  lending["socket"]!.terminate();
  await eventually(() => owing.isClosed, "the other end is closed");
  expect([lending.isClosed, askers.map(({ ends }) => ends)]).toEqual([true, [[false], [false]]]);
  expect(owners.map(({ ends }) => ends.length)).toEqual([1, 1]);
});

describe("security", () => {
  test("a throw over the end of one loan, or over room for more, keeps nobody else from hearing of it", async () => {
    const { lend, owner, lending, owing } = await connect();
    const askers = [lend(), lend()];
    const [bad, good] = [await owner(askers[0]!.id), await owner(askers[1]!.id)];
    const fail = (): never => {
      throw new Error("as asked");
    };
    bad.onDrain = fail;
    lending["socket"]!.pause();
    const bytes = Buffer.alloc(256 * 1024, "x");
    while (!owing.isCongested) owing.write(askers[1]!.id, bytes, 0, bytes.length);
    expect([write(bad, "x"), write(good, "x")]).toEqual([0, 0]);
    lending["socket"]!.resume();
    await eventually(() => good.drains === 1 && askers[0]!.ends.length === 1, "the line goes on");
    expect([bad.threwTimes, bad.ends, good.ends, askers[1]!.ends]).toEqual([1, [null], [], []]);
    const [first, second] = [lend(), lend()];
    first.onEnd = fail;
    lending.close();
    expect([first.threwTimes, first.ends, second.ends]).toEqual([1, [false], [false]]);
  });

  test("a throw over one loan's bytes costs that loan, not the line", async () => {
    const { lend, owner, say } = await connect();
    const [bad, good] = [lend(), lend()];
    const [one, other] = [await owner(bad.id), await owner(good.id)];
    one.onBytes = () => {
      throw new Error("as asked");
    };
    say(bad.id, "x");
    say(good.id, "y");
    await eventually(() => bad.ends.length === 1 && other.heard === "y", "the line goes on");
    expect([one.threwTimes, one.ends, bad.ends, good.ends]).toEqual([1, [null], [false], []]);
  });
});
