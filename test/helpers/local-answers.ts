// What the local service of the tests answers, one script per first path segment.

import type { LocalExchange } from "./local-service.ts";
import { garbageAnswers } from "./garbage-answers.ts";
import { patternPieces } from "./pattern.ts";
import { valuesOf } from "./strict-http.ts";

/** Answers one request. `rest` is the path behind `/NAME/`. The service takes the next request when it is done. */
export type LocalScript = (exchange: LocalExchange, rest: string, query: URLSearchParams) => Promise<void>;

const chunk = (data: string | Uint8Array): Buffer => {
  const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
};

/** A whole response with a length; the body is left out for HEAD. */
async function reply(
  exchange: LocalExchange,
  status: string,
  lines: string[],
  body: string | Uint8Array,
): Promise<void> {
  await exchange.bodyDone;
  const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : Buffer.from(body);
  const head = `HTTP/1.1 ${status}\r\n${[...lines, `Content-Length: ${bytes.length}`].join("\r\n")}\r\n\r\n`;
  const headBytes = Buffer.from(head, "latin1");
  await exchange.write(exchange.request.method === "HEAD" ? headBytes : Buffer.concat([headBytes, bytes]));
}

const plain = ["Content-Type: text/plain"];

/** Says that it takes the body, when it is asked. */
async function maybeContinue(exchange: LocalExchange): Promise<void> {
  if (valuesOf(exchange.request.fields, "expect").length > 0) await exchange.write("HTTP/1.1 100 Continue\r\n\r\n");
}

export const scripts: Record<string, LocalScript> = {
  /** Anything else: `ok`. */
  ok: (exchange) => reply(exchange, "200 OK", plain, "ok\n"),

  /** The exact request head as the body. */
  head: (exchange) => reply(exchange, "200 OK", plain, exchange.request.raw),

  /** What arrived, as JSON. */
  async upload(exchange) {
    await maybeContinue(exchange);
    await exchange.bodyDone;
    const { bodyBytes, sha1, trailers } = exchange.request;
    await reply(exchange, "200 OK", ["Content-Type: application/json"], JSON.stringify({ bodyBytes, sha1, trailers }));
  },

  /** Takes one piece of the body, and then nothing more for ever. */
  async deaf(exchange) {
    exchange.onBody(() => new Promise(() => {}));
    await exchange.bodyDone;
  },

  /** The body goes back chunked while it arrives. */
  async echo(exchange) {
    // Listening begins at once, or the bytes behind the head would be missed.
    exchange.onBody((bytes) => exchange.write(chunk(bytes)));
    await exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    await exchange.bodyDone;
    await exchange.write(
      `0\r\n${exchange.request.trailers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
  },

  /** `/size/N`: N bytes of the pattern, with a length, or `?chunked`. */
  async size(exchange, rest, query) {
    await exchange.bodyDone;
    const bytes = Number(rest);
    const chunked = query.has("chunked");
    const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${bytes}`;
    await exchange.write(`HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n${framing}\r\n\r\n`);
    if (exchange.request.method === "HEAD") return;
    let pieces = 0;
    for (const piece of patternPieces(0, bytes)) {
      await exchange.write(chunked ? chunk(piece) : piece);
      // One whose reader keeps up would never wait, and this service answer nobody else (for a second and more, measured).
      if (++pieces % 16 === 0) await new Promise(setImmediate);
    }
    if (chunked) await exchange.write("0\r\n\r\n");
  },

  /** `/chunked/a,b,c`: each part a chunk of its own, in a packet of its own. */
  async chunked(exchange, rest) {
    await exchange.bodyDone;
    await exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (exchange.request.method === "HEAD") return;
    for (const part of rest.split(",")) await exchange.write(chunk(part));
    await exchange.write("0\r\n\r\n");
  },

  async trailers(exchange) {
    await exchange.bodyDone;
    await exchange.write("HTTP/1.1 200 OK\r\nTrailer: X-Sum, grpc-status\r\nTransfer-Encoding: chunked\r\n\r\n");
    await exchange.write("5\r\nhello\r\n0\r\nX-Sum: abc\r\ngrpc-status: 0\r\nSet-Cookie: dropped=1\r\n\r\n");
  },

  gzip: (exchange) =>
    reply(
      exchange,
      "200 OK",
      ["Content-Encoding: gzip", "Vary: Accept-Encoding"],
      Bun.gzipSync(Buffer.from("hello ".repeat(1000))),
    ),

  /** `/range/N`: the pattern of N bytes with single ranges, ETag and If-Range. */
  async range(exchange, rest) {
    await exchange.bodyDone;
    const total = Number(rest);
    const { fields, method } = exchange.request;
    const wanted = /^bytes=(\d*)-(\d*)$/.exec(valuesOf(fields, "range")[0] ?? "");
    const fresh = (valuesOf(fields, "if-range")[0] ?? '"v1"') === '"v1"';
    const lines = `Accept-Ranges: bytes\r\nETag: "v1"\r\n`;
    let [from, to, status] = [0, total, "200 OK"];
    if (wanted !== null && fresh) {
      from = wanted[1] === "" ? Math.max(0, total - Number(wanted[2])) : Number(wanted[1]);
      to = wanted[1] === "" || wanted[2] === "" ? total : Math.min(total, Number(wanted[2]) + 1);
      if (from >= to) {
        return exchange.write(
          `HTTP/1.1 416 Range Not Satisfiable\r\n${lines}Content-Range: bytes */${total}\r\nContent-Length: 0\r\n\r\n`,
        );
      }
      status = `206 Partial Content\r\nContent-Range: bytes ${from}-${to - 1}/${total}`;
    }
    await exchange.write(`HTTP/1.1 ${status}\r\n${lines}Content-Length: ${to - from}\r\n\r\n`);
    if (method === "HEAD") return;
    for (const piece of patternPieces(from, to)) await exchange.write(piece);
  },

  /** `/sse/NAME`: the test gets the stream by `service.events(NAME)`. */
  async sse(exchange, rest) {
    await exchange.bodyDone;
    await exchange.write(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const ended = Promise.withResolvers<void>();
    exchange.giveEvents(rest, {
      request: exchange.request,
      send: (data) => exchange.write(chunk(`data: ${data}\n\n`)),
      async end() {
        await exchange.write("0\r\n\r\n");
        ended.resolve();
      },
    });
    await Promise.race([ended.promise, exchange.request.closed]);
  },

  /** Two informational responses before the answer. */
  async hints(exchange) {
    await exchange.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
    await exchange.write("HTTP/1.1 103 Early Hints\r\nLink: </b.js>; rel=preload\r\n\r\n");
    await reply(exchange, "200 OK", plain, "hinted");
  },

  /** 417 without reading the body. */
  async refuse(exchange) {
    await exchange.write("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    exchange.close();
  },

  /** Answers before the upload has ended, reads on without answering further. */
  async early(exchange) {
    await exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
  },

  cookies: (exchange) =>
    reply(
      exchange,
      "200 OK",
      Array.from({ length: 100 }, (_, i) => `Set-Cookie: c${i}=v${i}; Path=/`),
      "cookies",
    ),

  /** 8-bit bytes in the reason and in values. */
  async eightbit(exchange) {
    await reply(exchange, "200 Tr\xe8s bien", ["X-Latin: caf\xe9", "X-Utf8: \xc3\xa9\xff"], "8-bit");
  },

  /** Odd spellings, order and duplicates. */
  duplicates: (exchange) =>
    reply(
      exchange,
      "200 OK",
      ["x-LOWER: 1", "X-Dup: a", "Vary: A", "X-Dup:b", "vary: B", "X-Empty:", "X-Dup: a"],
      "dup",
    ),

  /** Hop-by-hop fields, also such that `Connection` names. */
  hop: (exchange) =>
    reply(
      exchange,
      "200 OK",
      [
        "Connection: keep-alive, X-Hop",
        "X-Kept: 1",
        "X-Hop: hop",
        "x_hop: hop",
        "Keep-Alive: hop",
        "Proxy-Authenticate: hop",
        "Proxy-Connection: hop",
        "Upgrade: hop",
        "TE: hop",
      ],
      "hopped",
    ),

  /** Cookies under the server's own names among others. */
  planted: (exchange) =>
    reply(
      exchange,
      "200 OK",
      [
        "Set-Cookie: own=1",
        "Set-Cookie: dl_session=evil",
        "set-cookie: __Host-dl_session=evil; Path=/; Secure",
        "Set-Cookie:  DL_x=evil",
        "Set-Cookie: adl_x=2",
      ],
      "planted",
    ),

  /** `/status/N`: no body. `?length=N`: the Content-Length that a HEAD or a 304 may name. */
  async status(exchange, rest, query) {
    await exchange.bodyDone;
    const length = query.get("length") ?? (rest === "204" || rest === "304" ? null : "0");
    await exchange.write(
      `HTTP/1.1 ${rest} Status\r\nX-Status: ${rest}\r\n${length === null ? "" : `Content-Length: ${length}\r\n`}\r\n`,
    );
  },

  /** `/delay/MS` */
  async delay(exchange, rest) {
    await Bun.sleep(Number(rest));
    await reply(exchange, "200 OK", plain, "late");
  },

  /** Reads the request and never answers. */
  silent: async (exchange) => exchange.request.closed,

  /** `/die/N?how=reset|clean&framing=length|chunked|close`: N bytes of a longer body, then the end of the connection. */
  async die(exchange, rest, query) {
    await exchange.bodyDone;
    const framing = query.get("framing") ?? "length";
    const lines =
      framing === "length"
        ? "Content-Length: 100000000\r\n"
        : framing === "chunked"
          ? "Transfer-Encoding: chunked\r\n"
          : "";
    await exchange.write(`HTTP/1.1 200 OK\r\n${lines}\r\n`);
    for (const piece of patternPieces(0, Number(rest)))
      await exchange.write(framing === "chunked" ? chunk(piece) : piece);
    if (query.get("how") === "clean") exchange.close();
    else exchange.reset();
  },

  /** `/die-early?how=reset|clean`: the connection ends before any answer. */
  async "die-early"(exchange, _rest, query) {
    await exchange.bodyDone;
    if (query.get("how") === "clean") exchange.close();
    else exchange.reset();
  },

  /** `/until-close/N`: a body that the end of the connection delimits. */
  async "until-close"(exchange, rest, query) {
    await exchange.bodyDone;
    await exchange.write(`HTTP/${query.get("version") ?? "1.1"} 200 OK\r\nConnection: close\r\n\r\n`);
    for (const piece of patternPieces(0, Number(rest))) await exchange.write(piece);
    exchange.close();
  },

  /** `/garbage/NAME`: see garbage-answers.ts. */
  async garbage(exchange, rest) {
    await exchange.bodyDone;
    const answer = garbageAnswers[decodeURIComponent(rest)];
    if (answer === undefined) throw new Error(`there is no garbage called ${rest}`);
    await exchange.write(answer.bytes);
    if (answer.thenCloses) exchange.close();
  },

  /** A 101 (when asked for), then every raw byte back; half-closes when the visitor does. */
  async raw(exchange) {
    if (valuesOf(exchange.request.fields, "upgrade").length === 0)
      return reply(exchange, "426 Upgrade Required", [], "");
    const done = Promise.withResolvers<void>();
    exchange.onBody((bytes) => exchange.write(bytes));
    exchange.goRaw(() => {
      exchange.close();
      done.resolve();
    });
    await exchange.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
    );
    await Promise.race([done.promise, exchange.request.closed]);
  },
};
