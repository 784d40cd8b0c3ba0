// Reading by hand, on real sockets: nothing is lost or moved, ends and resets are told as Bun tells them, pauses hold.

import { afterEach, describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { eventually } from "../../test/helpers/eventually.ts";
import { readInto } from "./descriptor.ts";
import { freeLarge, mayStay, Reads, readSpace } from "./large-reads.ts";

const totalBytes = 24 * 1024 * 1024;
const sent = Buffer.alloc(totalBytes);
for (let at = 0; at < totalBytes; at += 65_536) crypto.getRandomValues(sent.subarray(at, at + 65_536));

class Reader extends Reads {
  override isPlain: boolean;
  override socket: Socket<Reader> | null = null;
  readonly hash = new Bun.CryptoHasher("sha256");
  bytes = 0;
  /** Bytes that Bun's handler gave. */
  byBun = 0;
  views = new Set<boolean>();
  readonly heard: string[] = [];
  onBytes: (chunk: Buffer) => void = () => {};

  constructor(isPlain: boolean) {
    super();
    this.isPlain = isPlain;
  }
  opened(socket: Socket<Reader>): void {
    this.socket = socket;
  }
  override received(chunk: Buffer): void {
    this.restAfterLarge(chunk.length);
    this.bytes += chunk.length;
    this.hash.update(chunk);
    this.views.add(mayStay(chunk));
    this.onBytes(chunk);
    freeLarge(chunk);
  }
  closed(why: string): void {
    this.heard.push(why);
    this.socket = null;
  }
  override pause(reason: number): void {
    super.pause(reason);
  }
  override unpause(reasons: number): void {
    super.unpause(reasons);
  }
  override letGo(): void {
    super.letGo();
  }
}

const opened: { stop(): void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.stop();
});

/** A reader, and a peer that sends all of `sent` and then does `last`. */
async function transfer(reader: Reader, last: (peer: Socket<{ at: number }>) => void): Promise<void> {
  const push = (socket: Socket<{ at: number }>): void => {
    const { data } = socket;
    if (data.at === totalBytes) return;
    data.at += Math.max(0, socket.write(sent, data.at, totalBytes - data.at));
    if (data.at === totalBytes) last(socket);
  };
  const listener = Bun.listen<{ at: number }>({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true },
    socket: {
      open(socket) {
        socket.data = { at: 0 };
        push(socket);
      },
      drain: push,
      data() {},
      error(_socket, error) {
        console.error(error);
      },
    },
  });
  const socket = await Bun.connect<Reader>({
    ...{ hostname: "127.0.0.1", port: listener.port, allowHalfOpen: true, data: reader },
    socket: {
      open: (one) => one.data.opened(one),
      data(one, chunk) {
        one.data.byBun += chunk.length;
        one.data.received(chunk);
      },
      end: (one) => void one.data.heard.push("end"),
      close: (one, error) => one.data.closed(error === undefined ? "close" : "reset"),
      error(_socket, error) {
        console.error(error);
      },
    },
  });
  opened.push({
    stop() {
      socket.terminate();
      listener.stop(true);
    },
  });
}

const whole = new Bun.CryptoHasher("sha256").update(sent).digest("hex");
const shutDown = (peer: Socket<{ at: number }>): void => void peer.shutdown();

test("much is read whole and in order, most of it by hand, and then its end", async () => {
  const reader = new Reader(true);
  await transfer(reader, shutDown);
  await eventually(() => reader.heard.length > 0, "the end");
  expect([reader.bytes, reader.hash.digest("hex"), reader.heard]).toEqual([totalBytes, whole, ["end"]]);
  expect(reader.byBun).toBeLessThan(totalBytes / 2);
  // Memory that is read into again, or given back.
  expect([...reader.views]).toEqual([false]);
});

test("what was read by hand, and 64 bytes in front of it, may be overwritten", async () => {
  const reader = new Reader(true);
  let overwritten = 0;
  reader.onBytes = (chunk) => {
    const space = readSpace(chunk);
    if (space === null) return;
    const at = chunk.byteOffset;
    expect(at).toBeGreaterThanOrEqual(64);
    space.fill(0xdb, at - 64, at + chunk.length);
    overwritten += chunk.length;
  };
  await transfer(reader, shutDown);
  await eventually(() => reader.heard.length > 0, "the end");
  expect([reader.hash.digest("hex"), overwritten]).toEqual([whole, totalBytes - reader.byBun]);
});

test("what isn't plain is read by Bun alone", async () => {
  const reader = new Reader(false);
  await transfer(reader, shutDown);
  await eventually(() => reader.heard.length > 0, "the end");
  expect([reader.byBun, reader.hash.digest("hex")]).toEqual([totalBytes, whole]);
});

test("a pause holds at any time, and reading goes on after it", async () => {
  const reader = new Reader(true);
  let pauses = 0;
  let isPaused = false;
  reader.onBytes = () => {
    expect(isPaused).toBe(false);
    if (++pauses % 3 !== 0) return;
    isPaused = true;
    reader.pause(2);
    // Now within the turn of a read, now after it.
    const goOn = (): void => {
      isPaused = false;
      reader.unpause(2);
    };
    if (pauses % 2 === 0) setImmediate(() => setImmediate(goOn));
    else setImmediate(goOn);
  };
  await transfer(reader, shutDown);
  await eventually(() => reader.heard.length > 0, "the end");
  expect([reader.hash.digest("hex"), pauses > 10]).toEqual([whole, true]);
});

test("no more is read by hand than there is room for, and nothing while there is none", async () => {
  const reader = new Reader(true);
  let asked = 0;
  let room = Infinity;
  Object.assign(reader, {
    room() {
      room = ++asked % 3 === 0 ? 0 : 1_000 * (asked % 200);
      if (room > 0) return room;
      reader.pause(2);
      setImmediate(() => reader.unpause(2));
      return 0;
    },
  });
  reader.onBytes = (chunk) => {
    if (readSpace(chunk) !== null) expect(chunk.length).toBeLessThanOrEqual(room);
  };
  await transfer(reader, shutDown);
  await eventually(() => reader.heard.length > 0, "the end");
  expect([reader.hash.digest("hex"), asked > 20]).toEqual([whole, true]);
});

test("one that is let go is read by Bun from then on", async () => {
  const reader = new Reader(true);
  let atLetGo = -1;
  reader.onBytes = () => {
    if (reader.byBun === reader.bytes || atLetGo >= 0) return;
    atLetGo = reader.byBun;
    reader.isPlain = false;
    reader.letGo();
  };
  await transfer(reader, shutDown);
  await eventually(() => reader.heard.length > 0, "the end");
  expect([reader.hash.digest("hex"), atLetGo > 0]).toEqual([whole, true]);
  expect(reader.byBun - atLetGo).toBeGreaterThan(totalBytes / 2);
});

describe("security", () => {
  test("a connection that breaks off is never taken for one that ended", async () => {
    for (let round = 0; round < 20; round++) {
      const reader = new Reader(true);
      await transfer(reader, (peer) => peer.terminate());
      await eventually(() => reader.heard.length > 0, "the reset");
      expect(reader.heard).toEqual(["reset"]);
    }
  });

  test("a throw while bytes are dealt with costs that connection only", async () => {
    const [broken, other] = [new Reader(true), new Reader(true)];
    broken.onBytes = (chunk) => {
      if (readSpace(chunk) !== null) throw new Error("as asked");
    };
    await Promise.all([transfer(broken, shutDown), transfer(other, shutDown)]);
    await eventually(() => broken.heard.length > 0 && other.heard.length > 0, "both ends");
    expect([broken.heard.at(-1), other.hash.digest("hex")]).toEqual(["close", whole]);
    expect(broken.bytes).toBeLessThan(totalBytes);
  });

  test("reading by hand doesn't swallow a reset that arrives at the same moment", async () => {
    const [reader, peer] = [new Reader(true), Promise.withResolvers<Socket<{ at: number }>>()];
    await transfer(reader, peer.resolve);
    const sender = await peer.promise;
    await eventually(() => reader.bytes === totalBytes, "all bytes");
    const { socket } = reader;
    socket!.pause();
    sender.terminate();
    expect(readInto(socket!, Buffer.alloc(10), 10)).toBe(0);
    socket!.resume();
    await eventually(() => reader.heard.length > 0, "the reset");
    expect(reader.heard).toEqual(["reset"]);
  });
});
