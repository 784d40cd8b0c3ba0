// One connection to a service without a socket: whose bytes are whose, and how it ends.

import { describe, expect, spyOn, test } from "bun:test";
import type { Socket } from "bun";
import { ClientConnection, type ClientHandler } from "./client-connection.ts";
import { Head } from "./head.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const switching = "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/** A connection that is open (`isOpen`); `log` has what its handler, its keeper and its socket were told. */
function setUp(isPlain = true, isOpen = true) {
  const log: string[] = [];
  const note = (what: string) => () => void log.push(what);
  const connection = new ClientConnection({ release: note("release"), forget: note("forget") }, isPlain);
  const kernel = { room: Infinity };
  const socket = {
    write(_bytes: unknown, _offset: number, length: number) {
      const taken = Math.min(length, kernel.room);
      kernel.room -= taken;
      return taken;
    },
    ...{ shutdown: note("shutdown"), terminate: note("terminate"), pause: note("pause"), resume: note("resume") },
  };
  const handler: ClientHandler = {
    head(head) {
      log.push(`head ${head.status}`);
      if (head.status === 101) connection.startRaw();
    },
    bodyData: (bytes, start, end) => void log.push(`data ${Buffer.from(bytes.slice(start, end)).toString()}`),
    ...{ bodyEnd: note("end"), drained: note("drained"), finished: note("finished") },
    failed: (failure) => void log.push(`failed ${failure}`),
  };
  const begin = (more: Partial<ClientHandler> = {}): void => connection.begin({ ...handler, ...more }, false);
  begin();
  const opens = (): void => connection.opened(socket as unknown as Socket<ClientConnection>);
  if (isOpen) opens();
  log.length = 0;
  const hears = (text: string): void => connection.received(Buffer.from(text));
  return { connection, log, begin, hears, kernel, opens };
}

test("an answer may come in any pieces, behind interim ones", () => {
  const { connection, log, hears } = setUp();
  connection.requestEnd();
  for (const piece of ["HTTP/1.1 103 Early", " Hints\r\n\r\nHTTP/1.1 2", ok.slice(10, -1), "k"]) hears(piece);
  expect(log).toEqual(["head 103", "head 200", "data o", "data k", "end", "release", "finished"]);
});

test("security: a head that comes byte by byte is looked at once a line, and one without end not for ever", () => {
  const { connection, log, hears } = setUp();
  connection.requestEnd();
  const parse = spyOn(Head.prototype, "parseResponse");
  try {
    for (const byte of `HTTP/1.1 200 OK\r\nX: ${"x".repeat(10_000)}\r\nContent-Length: 0\r\n\r\n`) hears(byte);
    // The first byte, too.
    expect(parse).toHaveBeenCalledTimes(5);
  } finally {
    parse.mockRestore();
  }
  expect(log).toEqual(["head 200", "release", "finished"]);
  const endless = setUp();
  endless.hears("HTTP/1.1 200 OK\r\nX: ");
  for (let i = 0; i < 64; i++) endless.hears("x".repeat(1024));
  expect(endless.log).toEqual(["forget", "terminate", "failed broken"]);
});

test("whoever ends it while it reads the head hears no more of it", () => {
  const { connection, log, begin, hears } = setUp();
  begin({ head: () => connection.destroy() });
  hears(ok);
  connection.destroy();
  connection.closedBySocket();
  expect(log).toEqual(["forget", "terminate"]);
});

test("who waits for what was written to leave is told", () => {
  const { connection, log, kernel } = setUp();
  kernel.room = 0;
  connection.write(Buffer.from("request"), 0, 7);
  expect(connection.backlogBytes).toBe(7);
  kernel.room = Infinity;
  connection.drain();
  expect([connection.backlogBytes, log.join()]).toEqual([0, "drained"]);
});

test("what was written before it stood leaves as it opens, which is told like any other", () => {
  const { connection, log, opens } = setUp(true, false);
  connection.write(Buffer.from("request"), 0, 7);
  expect([connection.backlogBytes, connection.isOpen]).toEqual([7, false]);
  opens();
  expect([connection.backlogBytes, connection.isOpen, log]).toEqual([0, true, ["drained"]]);
});

test("one that was given up before it stood is closed when it does", () => {
  const { connection, log, opens } = setUp(true, false);
  connection.destroy();
  opens();
  expect(log).toEqual(["forget", "terminate"]);
});

test("to a TLS target it stands with its TLS: what breaks before that was never reached", () => {
  const handshake = setUp(false);
  expect(handshake.connection.isOpen).toBe(false);
  handshake.connection.closedBySocket();
  expect(handshake.log).toEqual(["forget", "terminate", "failed unreachable"]);
  const { connection, log } = setUp(false);
  connection.secured();
  expect(connection.isOpen).toBe(true);
  connection.closedBySocket();
  expect(log).toEqual(["forget", "terminate", "failed broken"]);
});

test("a paused one that is released is read again: it may be closed", () => {
  const { connection, log, hears } = setUp();
  connection.requestEnd();
  connection.pauseReading();
  hears(ok);
  expect(log).toEqual(["pause", "head 200", "data ok", "end", "resume", "release", "finished"]);
});

describe("a raw connection", () => {
  const raw = (hasShut: boolean) => {
    const one = setUp();
    one.hears(switching);
    if (hasShut) one.connection.shutdown();
    one.log.length = 0;
    return one;
  };

  test("passes bytes on, those behind the 101 first", () => {
    const { log, hears } = setUp();
    hears(`${switching}early`);
    hears("later");
    expect(log).toEqual(["head 101", "data early", "data later"]);
    const quiet = setUp();
    quiet.hears(switching);
    expect(quiet.log).toEqual(["head 101"]);
  });

  test.each([false, true])("is over when it closes behind the peer's end, once (ours before it: %p)", (hasShut) => {
    const { connection, log } = raw(hasShut);
    connection.end();
    expect(log).toEqual(["end"]);
    for (let i = 0; i < 2; i++) connection.closedBySocket();
    connection.destroy();
    expect(log).toEqual(["end", "forget", "finished"]);
  });

  test.each([
    ["a close behind our end is the peer's end", true, undefined, ["end", "forget", "finished"]],
    ["a close before it is a break", false, undefined, ["forget", "terminate", "failed broken"]],
    ["a reset is a break", true, new Error("ECONNRESET"), ["forget", "terminate", "failed broken"]],
  ])("%s", (_, hasShut, error, does) => {
    const { connection, log } = raw(hasShut);
    connection.closedBySocket(error);
    expect(log).toEqual(does);
  });
});

describe("security", () => {
  test.each(["HTTP/1.1 200 OK\r\n", `${ok}`])("what comes while nobody asked (%j) is nobody's answer", (bytes) => {
    const { connection, log, hears } = setUp();
    connection.requestEnd();
    hears(ok);
    log.length = 0;
    hears(bytes);
    expect(log).toEqual(["forget", "terminate"]);
  });

  test("an answer before the end of its request leaves the connection to nobody else, also on a used one", () => {
    const { connection, log, begin, hears } = setUp();
    connection.requestEnd();
    hears(ok);
    begin();
    log.length = 0;
    hears(ok);
    expect(log).toEqual(["head 200", "data ok", "end", "forget", "terminate", "finished"]);
  });

  test.each([
    ["before an answer", "before an answer", ""],
    ["in a head", "in the middle of the answer", "HTTP/1.1 200"],
    ["behind an interim one", "in the middle of the answer", "HTTP/1.1 103 Early Hints\r\n\r\n"],
    ["before its length", "in the middle of the answer", ok.slice(0, -1)],
    ["before the last chunk", "in the middle of the answer", `${chunked}2\r\nok\r\n`],
  ])("what ends or breaks %s failed, also on a used connection", (_, where, text) => {
    for (const ends of ["ended", "broke"]) {
      const { connection, log, begin, hears } = setUp();
      connection.requestEnd();
      hears(ok);
      const why: string[] = [];
      begin({ failed: (...reasons) => void why.push(...reasons) });
      if (text !== "") hears(text);
      expect(connection.answered).toBe(text !== "");
      log.length = 0;
      if (ends === "ended") connection.end();
      else connection.closedBySocket();
      expect([why, log]).toEqual([
        ["broken", `the connection ${ends} ${where}`],
        ["forget", "terminate"],
      ]);
    }
  });

  test("one that was given up over the last of its answer is nobody else's", () => {
    const { connection, log, begin, hears } = setUp();
    begin({ bodyEnd: () => connection.destroy() });
    connection.requestEnd();
    hears(ok);
    expect(log).toEqual(["head 200", "data ok", "forget", "terminate"]);
  });

  test.each([
    ["\x15\x03", "tls"],
    ["\x16\x03", "tls"],
    ["\x16\x02", "broken"],
    ["\x17\x03", "broken"],
  ])("an answer that begins with %j is none: %s", (text, failure) => {
    const { log, hears } = setUp();
    hears(`${text}\x01\x02\r\n\r\n`);
    expect(log).toEqual(["forget", "terminate", `failed ${failure}`]);
  });

  test("a body whose framing is broken fails, once", () => {
    const { connection, log, hears } = setUp();
    connection.requestEnd();
    hears(`${chunked}zz\r\n`);
    expect(log).toEqual(["head 200", "forget", "terminate", "failed broken"]);
  });
});
