// What a hostile agent sends for one visitor's request, and what may come of it.

import {
  CHECK,
  CHECKED,
  DATA,
  END,
  FIN,
  GO_AWAY,
  HEAD,
  MORE,
  MORE_HEAD,
  NOTICE,
  OPEN,
  PING,
  PONG,
  REGISTERED,
  RESET,
  WINDOW,
} from "../../src/protocol/frames.ts";
import { frame, headPayload } from "./hostile-agent.ts";

/** A status: the visitor's whole answer. "broken": its connection ends before an answer was complete. */
export type VisitorSees = number | "broken";

export interface HostileScript {
  /** Messages for the stream `id`. */
  messages: (id: number) => Uint8Array[];
  visitor: VisitorSees;
  /** Whether the session goes on. */
  session: "lives" | "closed";
}

const script =
  (visitor: VisitorSees, session: HostileScript["session"]) =>
  (...frames: ((id: number) => Uint8Array)[]): HostileScript => ({
    visitor,
    session,
    messages: (id) => frames.map((make) => make(id)),
  });

/** The stream suffers before anything was sent to the visitor. */
const refused = script(502, "lives");
/** The stream suffers when its head is on its way. */
const broken = script("broken", "lives");
/** The session is closed; nothing had been sent to the visitor, who gets a 503 when no other session comes. */
const fatal = script(503, "closed");

const head =
  (text: string, flags = 0) =>
  (id: number): Buffer =>
    frame(HEAD, id, headPayload(text), { flags });
const data =
  (text: string, flags = 0) =>
  (id: number): Buffer =>
    frame(DATA, id, text, { flags });
const end =
  (trailers = "") =>
  (id: number): Buffer =>
    frame(END, id, trailers, { flags: FIN });
const other = (bytes: Uint8Array) => (): Uint8Array => bytes;
const whole = (id: number): Buffer => head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", FIN)(id);

const ok = "HTTP/1.1 200 OK\r\n";
const sized = (bytes: number): string => `${ok}Content-Length: ${bytes}\r\n\r\n`;
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`;

const badHeads: Record<string, string> = {
  "nothing at all": "",
  "no end": `${ok}X-A: b\r\n`,
  "bytes behind the end": `${sized(0)}HTTP/1.1 200 OK\r\n\r\n`,
  "two heads in one": `${sized(0)}${sized(0)}`,
  "status 099": "HTTP/1.1 099 Low\r\n\r\n",
  "status 600": "HTTP/1.1 600 High\r\n\r\n",
  "status 1000": "HTTP/1.1 1000 High\r\n\r\n",
  "status in letters": "HTTP/1.1 abc OK\r\n\r\n",
  "no status": "HTTP/1.1\r\n\r\n",
  "HTTP/2": "HTTP/2 200 OK\r\n\r\n",
  "a request": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "CR in the reason": "HTTP/1.1 200 O\rK\r\n\r\n",
  "LF in the reason": "HTTP/1.1 200 O\nSet-Cookie: evil=1\r\n\r\n",
  "NUL in the reason": "HTTP/1.1 200 O\0K\r\n\r\n",
  "CR in a value": `${ok}X-A: a\rb\r\n\r\n`,
  "LF in a value": `${ok}X-A: a\nSet-Cookie: evil=1\r\n\r\n`,
  "NUL in a value": `${ok}X-A: a\0b\r\n\r\n`,
  "a bare LF at the end": `${ok}X-A: a\n\n`,
  "a space in a name": `${ok}X A: b\r\n\r\n`,
  "a space before the colon": `${ok}X-A : b\r\n\r\n`,
  "an empty name": `${ok}: b\r\n\r\n`,
  "8-bit bytes in a name": `${ok}X-\xe9: b\r\n\r\n`,
  "a folded line": `${ok}X-A: b\r\n c\r\n\r\n`,
  "length and chunked": `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
  "two lengths": `${ok}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`,
  "a negative length": `${ok}Content-Length: -5\r\n\r\n`,
  "a length with letters": `${ok}Content-Length: 5a\r\n\r\n`,
  "another coding": `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`,
  "chunked twice": `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
  "chunked in HTTP/1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
  "201 fields": `${ok}${"X-A: b\r\n".repeat(201)}\r\n`,
  "a 101 that nobody asked for":
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  "a length that never comes": sized(5),
};

const endings: Record<string, HostileScript> = {
  "data before a head": refused(data("hello")),
  "an end before a head": refused(end()),
  "an end behind a 103 only": refused(head("HTTP/1.1 103 Early Hints\r\n\r\n"), end()),
  "a 103 that is the end": refused(head("HTTP/1.1 103 Early Hints\r\n\r\n", FIN)),
  "a body longer than its length": broken(head(sized(3)), data("hello"), end()),
  // The visitor has its three bytes by then; what follows ends its connection.
  "a body longer than its length, in a second frame": script(200, "lives")(head(sized(3)), data("abc"), data("d")),
  "a body shorter than its length": broken(head(sized(10)), data("hello"), end()),
  "no body at all for a length": broken(head(sized(10)), end()),
  "a body that a reset cuts": broken(head(chunked), data("hello"), (id) => frame(RESET, id, "\0\x03cut")),
  "two heads": broken(head(chunked), head(sized(0))),
  "an interim head behind the final one": broken(head(chunked), head("HTTP/1.1 103 Early Hints\r\n\r\n")),
  "a 101 behind the final head": broken(head(chunked), head("HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n")),
  "trailers without a colon": broken(head(chunked), end("X-T\r\n")),
  "trailers with a bare LF": broken(head(chunked), end("X-T: 1\nSet-Cookie: evil=1\r\n")),
  "trailers with CR": broken(head(chunked), end("X-T: a\rb\r\n")),
  "trailers that end early": broken(head(chunked), end("X-T: 1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")),
  "trailers that frame": broken(head(chunked), end("Content-Length: 5\r\n")),
  "trailers that begin with an empty line": broken(head(chunked), end("\r\nHTTP/1.1 200 OK\r\n\r\n")),
  "chunks inside data": script(200, "lives")(head(chunked), data("0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), end()),
  "a cookie of ours": script(200, "lives")(head(`${ok}Set-Cookie: dl_session=evil\r\nContent-Length: 0\r\n\r\n`, FIN)),
  "data for a 204": script(204, "lives")(head("HTTP/1.1 204 No Content\r\n\r\n"), data("hello"), end()),
  "trailers behind a length": script(200, "lives")(head(sized(2)), data("hi"), end("X-T: 1\r\n")),
  "frames behind the end": script(200, "lives")(whole, data("late"), end(), whole, (id) => frame(RESET, id, "\0\x01")),
  "windows behind the end": script(200, "lives")(whole, (id) => frame(WINDOW, id, "\x7f\xff\xff\xff")),
  "an unknown reset code": refused((id) => frame(RESET, id, "\xff\xffwhy")),
  "a reset whose reason is markup": refused((id) => frame(RESET, id, "\0\x03<script>alert(1)</script>\r\nX-Evil: 1")),
  "a timeout it claims": script(504, "lives")((id) => frame(RESET, id, "\0\x04")),
  "a refusal": script(503, "lives")((id) => frame(RESET, id, "\0\x06")),
  "unknown flags": script(200, "lives")((id) => frame(HEAD, id, headPayload(sized(0)), { flags: FIN | 0xc0 })),
  "empty data": script(200, "lives")(head(sized(2)), data(""), data("hi"), data(""), end()),
  "pongs to no ping, of any length": script(200, "lives")(
    ...["", "abc", "123456789", "x".repeat(65_000)].map((text) => other(frame(PONG, 0, text))),
    whole,
  ),
  "an answer to a check that nobody asked": script(200, "lives")(other(frame(CHECKED, 77, '{"ok":true}')), whole),
};

const violations: Record<string, HostileScript> = {
  "a header cut short": fatal(other(Buffer.from([HEAD, 0, 0]))),
  "a frame longer than its message": fatal((id) => frame(HEAD, id, "abc", { length: 1_000 })),
  "a frame larger than allowed": fatal((id) => frame(DATA, id, Buffer.alloc(65_535))),
  "type 0": fatal((id) => frame(0, id)),
  "type 15": fatal((id) => frame(15, id)),
  "type 255": fatal((id) => frame(255, id)),
  "an OPEN": fatal((id) => frame(OPEN, id + 1, Buffer.alloc(8))),
  "an OPEN for a living stream": fatal((id) => frame(OPEN, id, Buffer.alloc(8))),
  "a REGISTERED": fatal(other(frame(REGISTERED, 0, "{}"))),
  "a NOTICE": fatal(other(frame(NOTICE, 0, "{}"))),
  "a CHECK": fatal((id) => frame(CHECK, id)),
  "a head for a stream that never was": fatal((id) => whole(id + 1)),
  "data for a stream that never was": fatal((id) => data("hello")(id + 1)),
  "an end for a stream that never was": fatal(() => end()(0xffffffff)),
  "a reset for a stream that never was": fatal((id) => frame(RESET, id + 1_000, "\0\x01")),
  "a window for a stream that never was": fatal((id) => frame(WINDOW, id + 1, "\0\0\0\x01")),
  "data for the session": fatal(() => data("hello")(0)),
  "a head for the session": fatal(() => whole(0)),
  "a reset of the session": fatal(() => frame(RESET, 0, "\0\x01")),
  "a head without its time": fatal((id) => frame(HEAD, id, "abc")),
  "a window of 3 bytes": fatal((id) => frame(WINDOW, id, "abc")),
  "a window of 5 bytes": fatal((id) => frame(WINDOW, id, "abcde")),
  "more credit than allowed": fatal((id) => frame(WINDOW, id, "\xff\xff\xff\xff")),
  "more credit than allowed, in steps": fatal(
    ...Array.from({ length: 6 }, () => (id: number) => frame(WINDOW, id, "\x00\x7f\xff\xff")),
  ),
  "a reset without a code": fatal((id) => frame(RESET, id, "\0")),
  "a head that goes on without having begun": fatal((id) => frame(MORE_HEAD, id, "X-A: b\r\n\r\n")),
  "a head beyond 64 KiB": fatal(head(ok, MORE), (id) =>
    Buffer.concat(Array.from({ length: 3 }, () => frame(MORE_HEAD, id, Buffer.alloc(30_000, "a"), { flags: MORE }))),
  ),
  "a head that begins twice": fatal(head(ok, MORE), head(ok, MORE)),
  "a check's answer that isn't JSON": fatal(other(frame(CHECKED, 1, "{"))),
  "a check's answer that is a list": fatal(other(frame(CHECKED, 1, "[]"))),
  "a check's answer that is larger than 8 KiB": fatal(other(frame(CHECKED, 1, `{"error":"${"x".repeat(8192)}"}`))),
  "a check's answer that is null": fatal(other(frame(CHECKED, 1, "null"))),
  "a good frame, then rubbish": script(200, "closed")((id) => Buffer.concat([whole(id), Buffer.from("rubbish")])),
  "a go-away, then a frame for nobody": fatal(other(frame(GO_AWAY, 0, "{}")), (id) => whole(id + 1)),
  "a ping, then rubbish": fatal(other(Buffer.concat([frame(PING, 0, "12345678"), Buffer.alloc(5)]))),
};

export const hostileScripts: Record<string, HostileScript> = {
  ...Object.fromEntries(Object.entries(badHeads).map(([name, text]) => [`head: ${name}`, refused(head(text, FIN))])),
  ...Object.fromEntries(Object.entries(endings).map(([name, one]) => [`stream: ${name}`, one])),
  ...Object.fromEntries(Object.entries(violations).map(([name, one]) => [`session: ${name}`, one])),
};
