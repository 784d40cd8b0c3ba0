// Streams of TCP visitors: how a connection and its stream end together, who is not read, and what the local service's health hears.

import { describe, expect, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { visitTcp } from "../helpers/visit-tcp.ts";
import { resetCode } from "../../src/protocol/frames.ts";

/** Reads of a visitor that notes what it hears, and how its connection ends. */
function hearing() {
  const heard = { text: "", how: "" };
  const reads = {
    data: (_: unknown, chunk: Buffer) => void (heard.text += chunk.toString()),
    end: () => void (heard.how ||= "end"),
    close: (_: unknown, error?: Error) => void (heard.how ||= error === undefined ? "close" : "reset"),
    error() {},
  };
  return { heard, reads };
}
const say = (text: string): [Buffer, number, number] => [Buffer.from(`##${text}#`), 2, 2 + text.length];

test.each(["127.0.0.1", "::1"])("an agent is told both ends of a connection to %s", async (hostname) => {
  using at = await visitTcp(undefined, { hostname });
  const shown = hostname === "::1" ? "[::1]" : hostname;
  expect(at.head()).toBe(`${shown}:${at.visitor.localPort} ${shown}:${at.port}`);
});

test("both directions end by themselves, and the connection with them: its stream, its place and its bytes are told once", async () => {
  const { heard, reads } = hearing();
  using at = await visitTcp(reads);
  at.visitor.write("question");
  await eventually(() => at.session.take().data === "question", "the agent has it");
  at.stream.onData(...say("answer"));
  at.stream.onData(...say("!"));
  at.stream.onEnd(null);
  await eventually(() => heard.how === "end", "the visitor has it all");
  expect([heard.text, at.session.removed, at.over]).toEqual(["answer!", 0, []]);
  at.visitor.shutdown();
  await at.closed();
  expect([at.session.take().ends, at.session.removed, at.session.resets]).toEqual([1, 1, []]);
  expect([at.over, at.notes]).toEqual([[[8, 7]], ["answered", "closed"]]);
  // An agent may not know yet.
  at.stream.onData(...say("late"));
  at.stream.onEnd(null);
  at.stream.fail("tunnel_offline", "");
  expect([at.session.removed, at.session.resets, at.over.length]).toEqual([1, [], 1]);
});

test("a visitor is read no further than its agent takes it, and then on", async () => {
  using at = await visitTcp();
  const many = Buffer.alloc(8 * 1024 * 1024, "0123456789");
  let written = 0;
  const go = (): void => void (written += Math.max(0, at.visitor.write(many, written, many.length - written)));
  go();
  await eventually(() => at.stream.hasQueued, "it isn't read any more");
  // More than a moment: until its own kernel takes no more.
  for (let before = -1; before < written; await Bun.sleep(20)) {
    before = written;
    go();
  }
  expect(at.stream.bytesIn).toBeLessThan(2 * 1024 * 1024);
  const hash = new Bun.CryptoHasher("sha1");
  let bytes = 0;
  await eventually(() => {
    at.stream.onWindow(1024 * 1024);
    const { data } = at.session.take();
    bytes += data.length;
    hash.update(Buffer.from(data, "latin1"));
    if (written < many.length) go();
    return bytes === many.length;
  }, "all of it arrives");
  expect(hash.digest("hex")).toBe(new Bun.CryptoHasher("sha1").update(many).digest("hex"));
});

test("a visitor that reads nothing is sent what its stream may hold; then all of it arrives, and its end, and the agent may send more", async () => {
  let bytes = 0;
  let how = "";
  using at = await visitTcp({
    data: (_, chunk) => void (bytes += chunk.length),
    close: (_, error) => void (how = error === undefined ? "close" : "reset"),
  });
  at.visitor.pause();
  const part = Buffer.alloc(50_000, "x");
  let sent = 0;
  for (let credit = at.stream.windowBytes; credit >= part.length; credit += at.session.take().granted - part.length) {
    at.stream.onData(part, 0, part.length);
    sent += part.length;
  }
  at.visitor.shutdown();
  await eventually(() => at.session.take().ends === 1, "the agent knows that nothing more comes");
  at.visitor.resume();
  await eventually(() => bytes === sent, "all of it arrives");
  expect(at.session.take().granted).toBeGreaterThan(0);
  at.visitor.pause();
  // More than the visitor's kernel takes: its end waits behind it.
  const many = Buffer.alloc(8 * 1024 * 1024, "y");
  at.stream["received"] = () => {};
  at.stream.onData(many, 0, many.length);
  at.stream.onEnd(null);
  expect([at.session.removed, at.over]).toEqual([0, []]);
  at.visitor.resume();
  await at.closed();
  await eventually(() => how !== "", "the visitor sees the end");
  const { removed, resets } = at.session;
  expect([bytes - sent, how, removed, resets, at.session.take().ends]).toEqual([many.length, "close", 1, [], 0]);
});

describe("a connection that is held until there is an agent", () => {
  /** All that are held have been looked at: the last of them was seen to have left. */
  async function lookedAt(): Promise<void> {
    using last = await visitTcp(undefined, { isHeld: true });
    last.visitor.shutdown();
    await last.closed();
  }

  test("is not read before; then nothing of it is missing", async () => {
    using at = await visitTcp(undefined, { isHeld: true });
    at.visitor.write("first words");
    at.visitor.shutdown();
    await lookedAt();
    expect([at.stream.bytesIn, at.notes]).toEqual([0, []]);
    at.open();
    let text = "";
    let ends = 0;
    await eventually(() => {
      const { data, ends: more } = at.session.take();
      text += data;
      return (ends += more) === 1;
    }, "the agent has it, and its end");
    expect(text).toBe("first words");
  });

  test("makes room when its visitor leaves without a word", async () => {
    using at = await visitTcp(undefined, { isHeld: true });
    at.visitor.shutdown();
    await at.closed();
    expect(at.over).toEqual([[0, 0]]);
  });

  test("is not given up any more once its agent is there", async () => {
    using at = await visitTcp(undefined, { isHeld: true });
    at.open();
    at.visitor.shutdown();
    await eventually(() => at.session.take().ends === 1, "the agent hears of the end");
    await lookedAt();
    expect(at.notes).toEqual([]);
  });
});

describe("security", () => {
  test("who has no place is closed at once, whatever it says", async () => {
    const { heard, reads } = hearing();
    using at = await visitTcp(reads, { isThere: false });
    at.visitor.write("hello");
    await eventually(() => heard.how !== "", "it is closed");
    expect([heard.text, at.notes]).toEqual(["", []]);
  });

  test.each<[string, string[], string[], (at: Awaited<ReturnType<typeof visitTcp>>) => void]>([
    ["its session is lost", [], [], ({ stream }) => stream.onSessionLost()],
    ["there is no agent", [], [], ({ stream }) => stream.fail("tunnel_offline", "")],
    [
      "an agent that answers in HTTP",
      [],
      ["a response head on a TCP stream"],
      ({ stream }) => stream.onHead(Buffer.alloc(0), 0, 0, 0, false),
    ],
    [
      "a service that isn't there",
      ["failed: refused"],
      [],
      ({ stream }) => stream.onReset(resetCode.unreachable, "refused"),
    ],
    ["a service that breaks off unheard", ["doubted"], [], ({ stream }) => stream.onReset(resetCode.localFailed, "")],
    ["an agent that stops", [], [], ({ stream }) => stream.onReset(resetCode.cancel, "")],
    [
      "a service that breaks off in the middle",
      ["answered"],
      [],
      ({ stream }) => {
        stream.onData(...say("half"));
        stream.onReset(resetCode.localFailed, "");
      },
    ],
  ])("a connection has no clean end for %s; it is told once, and of its service what is known", async (...all) => {
    const [, notes, resets, happens] = all;
    const { heard, reads } = hearing();
    using at = await visitTcp(reads);
    happens(at);
    await at.closed();
    await eventually(() => heard.how !== "", "the visitor hears of it");
    expect([heard.how, at.notes, at.session.resets]).toEqual(["reset", [...notes, "closed"], resets]);
  });
});

describe("a server that leaves", () => {
  const leaving = (ms: number) => ({ now: performance.now() + ms, inAllMs: 30_000, isLast: false });

  test("ends what has been silent for as long as it may take, cleanly, and tells the agent", async () => {
    const { heard, reads } = hearing();
    using at = await visitTcp(reads);
    at.stream.endIfQuiet(leaving(29_000));
    expect(at.session.resets).toEqual([]);
    for (let i = 0; i < 2; i++) at.stream.endIfQuiet(leaving(30_001));
    await at.closed();
    await eventually(() => heard.how !== "", "the visitor hears of it");
    expect([heard.how, at.session.resets]).toEqual(["end", ["the server is leaving"]]);
  });
});
