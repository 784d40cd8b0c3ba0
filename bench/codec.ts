// `bun bench/codec.ts`: nanoseconds that the head grammar, the copying writer and the frames cost on one core.

import { copyFields, requestRules, responseRules } from "../src/http1/copy.ts";
import { Head } from "../src/http1/head.ts";
import { FrameReader } from "../src/protocol/frame-reader.ts";
import { DATA } from "../src/protocol/frames.ts";
import { Outbox } from "../src/protocol/outbox.ts";
import { median } from "./measure/statistics.ts";
import { alignRows } from "./table.ts";

const rounds = 15;
const roundMs = 40;

const lines = (...text: string[]): Buffer => Buffer.from(`${text.join("\r\n")}\r\n\r\n`, "latin1");

const shortRequest = lines("GET / HTTP/1.1", "Host: bench.localhost:8080");
const browserRequest = lines(
  "GET /app/items?page=2&sort=name HTTP/1.1",
  "Host: bench.localhost:8080",
  "Connection: keep-alive",
  'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Sec-Fetch-Site: same-origin",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Dest: document",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9",
  `Cookie: session=${"a1b2c3d4".repeat(12)}; theme=dark`,
);
const response = lines(
  "HTTP/1.1 200 OK",
  "Content-Type: application/json; charset=utf-8",
  "Content-Length: 1024",
  "Date: Thu, 01 Jan 2026 00:00:00 GMT",
  "Cache-Control: no-cache",
  'ETag: W/"400-abcdef"',
);
const kilobyte = Buffer.alloc(1024, 0x78);

const head = new Head();
const out = Buffer.alloc(64 * 1024 + 256);

/** Median nanoseconds of one call, over rounds that each last long enough for the clock. */
function nanosecondsOf(work: () => void): number {
  let batch = 64;
  for (;;) {
    const elapsedMs = timed(work, batch);
    if (elapsedMs >= roundMs) break;
    batch = Math.ceil(batch * Math.max(1.5, Math.min(20, roundMs / Math.max(elapsedMs, 0.001))));
  }
  return median(Array.from({ length: rounds }, () => (timed(work, batch) * 1e6) / batch));
}

function timed(work: () => void, times: number): number {
  const startedAt = performance.now();
  for (let i = 0; i < times; i++) work();
  return performance.now() - startedAt;
}

/** A benchmark of something that refuses its input would be fast and worthless. */
function parsedRequest(bytes: Buffer): void {
  if (head.parseRequest(bytes, 0, bytes.length) !== bytes.length) throw new Error(`refused: ${head.detail}`);
}

function parsedResponse(bytes: Buffer): void {
  if (head.parseResponse(bytes, 0, bytes.length) !== bytes.length) throw new Error(`refused: ${head.detail}`);
}

function message(frames: number): Buffer {
  let collected: Buffer = Buffer.alloc(0);
  const outbox = new Outbox({
    send: (bytes, start, end) => void (collected = Buffer.concat([collected, bytes.subarray(start, end)])),
  });
  for (let i = 0; i < frames; i++) outbox.frame(DATA, 0, i + 1, kilobyte, 0, kilobyte.length);
  outbox.flush();
  return collected;
}

let seen = 0;
const frameReader = new FrameReader({ frame: (): void => void seen++ });
const fortyFrames = message(40);
const sendingOutbox = new Outbox({ send: (_bytes, start, end) => void (seen += (end - start) & 1) });

const cases: [name: string, calls: number, work: () => void][] = [
  ["parse a request head, 1 field", 1, () => parsedRequest(shortRequest)],
  [`parse a browser's request head, ${browserRequest.length} B`, 1, () => parsedRequest(browserRequest)],
  [
    "parse it and copy its fields",
    1,
    () => {
      parsedRequest(browserRequest);
      copyFields(head, requestRules, -2, out, 0);
    },
  ],
  [`parse a response head, ${response.length} B`, 1, () => parsedResponse(response)],
  [
    "parse it and copy its fields",
    1,
    () => {
      parsedResponse(response);
      copyFields(head, responseRules, 1024, out, 0);
    },
  ],
  ["read a frame of 1 KB (40 in a message)", 40, () => frameReader.read(fortyFrames, 0, fortyFrames.length, true)],
  [
    "write a frame of 1 KB (40 in a message)",
    40,
    () => {
      for (let i = 0; i < 40; i++) sendingOutbox.frame(DATA, 0, i + 1, kilobyte, 0, kilobyte.length);
      sendingOutbox.flush();
    },
  ],
];

const table = cases.map(([name, calls, work]) => [name, `${(nanosecondsOf(work) / calls).toFixed(0)} ns`]);
console.log(alignRows(table));
