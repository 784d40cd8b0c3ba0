// What is shown of a recorded exchange: no secret unasked, bodies decoded within bounds, and whether it can be sent again.

import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { Head } from "../../src/http1/head.ts";
import { detailsOf, summaryOf, whyNotRepeatable } from "./message.ts";
import { Recorder } from "./recorder.ts";
import { maxKeptBody, type Recording, type Source } from "./recording.ts";

const source = { url: "http://a.test", local: { label: "http://localhost:3000" } } as unknown as Source;

const requestHead = Buffer.from("POST / HTTP/1.1\r\nHost: a\r\n\r\n");

/** An exchange with these fields and bodies. */
function exchange(given: { request?: string[]; body?: Buffer; answer?: string[]; sent?: Buffer }): Recording {
  const head = Buffer.from(["POST /a HTTP/1.1", "Host: a", ...(given.request ?? []), "", ""].join("\r\n"), "latin1");
  const recording = new Recorder().begin(source, { bytes: head, start: 0, end: head.length, flags: 0 });
  if (given.body !== undefined) recording.asks(given.body, 0, given.body.length);
  recording.asked();
  const answer = Buffer.from(["HTTP/1.1 200 OK", ...(given.answer ?? []), "", ""].join("\r\n"), "latin1");
  const parsed = new Head();
  parsed.parseResponse(answer, 0, answer.length);
  recording.heads(parsed);
  if (given.sent !== undefined) recording.answers(given.sent, 0, given.sent.length);
  recording.ends(0, null);
  return recording;
}

const answerBody = (coding: string, sent: Buffer) =>
  detailsOf(exchange({ answer: [`Content-Encoding: ${coding}`], sent }), false).answer!.body;

const secrets = ["Authorization", "COOKIE", "Proxy-Authorization", "X-Api-Key", "X-Hub-Signature-256", "X-Csrf-Token"];
test.each([...secrets, "X-Auth-Key", "Ocp-Apim-Subscription-Key", "X-Amzn-Oidc-Authorization", "X-Key", "X-Passwd"])(
  "security: the value of %s is hidden unless it is asked for",
  (name) => {
    const recording = exchange({ request: [`${name}: letmein`, "Accept: */*"], answer: ["Set-Cookie: s=letmein"] });
    const shown = detailsOf(recording, false);
    expect(JSON.stringify(shown)).not.toContain("letmein");
    expect(shown.request.fields).toContainEqual({ name, value: "(hidden, 7 characters)", hidden: true });
    expect(shown.request.fields).toContainEqual({ name: "Accept", value: "*/*", hidden: false });
    expect(detailsOf(recording, true).request.fields).toContainEqual({ name, value: "letmein", hidden: false });
  },
);

test("a list of long paths stays short; in full there is all of one", () => {
  const path = `/${"p".repeat(60_000)}`;
  const head = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const recording = new Recorder().begin(source, { bytes: head, start: 0, end: head.length, flags: 0 });
  expect(summaryOf(recording).path).toBe(path.slice(0, 1_000));
  expect(detailsOf(recording, false).path).toBe(path);
});

test("keys that let nobody in are shown", () => {
  const fields = ["Sec-WebSocket-Key", "Idempotency-Key", "Surrogate-Key", "X-Author", "Keep-Alive"];
  const { request } = detailsOf(exchange({ request: fields.map((name) => `${name}: x`) }), false);
  expect(request.fields.filter(({ hidden }) => hidden)).toEqual([]);
});

test("lines are shown as they were, bytes above ASCII too", () => {
  const { request, local, url } = detailsOf(exchange({ request: ["X-Name:  J\xfcrgen: x "] }), false);
  expect([local, url, request.line]).toEqual(["http://localhost:3000", "http://a.test", "POST /a HTTP/1.1"]);
  expect(request.fields.at(-1)).toEqual({ name: "X-Name", value: "J\xfcrgen: x", hidden: false });
});

test.each([
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["deflate", deflateSync],
  ["deflate", deflateRawSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
] as const)("a body in %s is shown decoded", (coding, encode) => {
  const sent = Buffer.from(encode("äöü".repeat(100)));
  expect(answerBody(coding.toUpperCase(), sent)).toEqual({
    ...{ bytes: sent.length, kept: sent.length },
    ...{ text: "äöü".repeat(100), hex: null, parts: null, note: `decoded from ${coding}` },
  });
});

test.each([
  ["gzip", gzipSync],
  ["deflate", deflateSync],
  ["deflate", deflateRawSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
] as const)("of a body in %s that is cut, or not over yet, what is there is shown decoded", (coding, encode) => {
  // Little of it can be packed: its codings have several blocks.
  const letters = Array.from(randomBytes(100_000), (byte) => String.fromCodePoint(0xe0 + (byte & 15))).join("");
  const sent = Buffer.from(encode(Buffer.from(letters)));
  const { text, note } = answerBody(coding, sent.subarray(0, sent.length - 100));
  expect(note).toBe(`decoded from ${coding}`);
  expect(text!.length).toBeGreaterThan(10_000);
  expect(letters).toStartWith(text!);
});

test("text that goes on, or broke off, may end in the middle of a character; what is over may not", () => {
  const half = Buffer.from("aä").subarray(0, 2);
  const recording = new Recorder().begin(source, { bytes: requestHead, start: 0, end: requestHead.length, flags: 0 });
  const shown = () => detailsOf(recording, false);
  recording.asks(half, 0, 2);
  expect(shown().request.body.text).toBe("a");
  recording.asked();
  expect(shown().request.body).toMatchObject({ text: null, hex: "61c3" });
  const head = new Head();
  const answer = Buffer.from("HTTP/1.1 200 OK\r\n\r\n");
  head.parseResponse(answer, 0, answer.length);
  recording.heads(head);
  recording.answers(half, 0, 2);
  expect(shown().answer!.body.text).toBe("a");
  recording.ends(0, "broken");
  expect(shown().answer!.body.text).toBe("a");
  expect(detailsOf(exchange({ sent: half }), false).answer!.body).toMatchObject({ text: null, hex: "61c3" });
});

test("security: a few bytes that unpack to gigabytes are not unpacked", () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  expect(bomb.length).toBeLessThan(maxKeptBody);
  expect(answerBody("gzip", bomb)).toMatchObject({
    text: null,
    note: "shown as it is: it unpacks to more than 2 MiB",
  });
});

test("what can't be decoded is shown as it is, with the reason", () => {
  expect(answerBody("gzip", Buffer.from("no"))).toMatchObject({ text: "no", note: "shown as it is: it is not gzip" });
  expect(answerBody("constructor", Buffer.from("x")).note).toBe(
    "shown as it is: the coding constructor is not known here",
  );
  expect(answerBody("identity", Buffer.from("x"))).toMatchObject({ text: "x", note: null });
});

test("what is no text is shown in hex; text that is cut in the middle of a character is text", () => {
  const binary = detailsOf(exchange({ sent: Buffer.from([0x89, 0x50, 0, 0xff]) }), false).answer!.body;
  expect(binary).toMatchObject({ text: null, hex: "895000ff" });
  expect(detailsOf(exchange({ sent: Buffer.from("a\0b") }), false).answer!.body).toMatchObject({ text: null });
  const long = Buffer.from(`x${"ä".repeat(maxKeptBody / 2)}`);
  const body = detailsOf(exchange({ sent: long }), false).answer!.body;
  expect([body.bytes, body.kept, body.text?.length]).toEqual([long.length, maxKeptBody, maxKeptBody / 2]);
});

test("a form with a file is shown in parts, whatever it was coded in; one that is text as a whole as that", () => {
  const part = (name: string, value: string) =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const request = ["Content-Type: multipart/form-data; boundary=b"];
  const bodyOf = (text: string, gzip = false) => {
    const body = Buffer.from(text);
    const given = gzip ? { request: [...request, "Content-Encoding: gzip"], body: gzipSync(body) } : { request, body };
    return detailsOf(exchange(given), false).request.body;
  };
  const file = `${part("a", "1")}${part("b", "\0")}--b--\r\n`;
  const names = [
    { name: "a", text: "1" },
    { name: "b", hex: "00" },
  ];
  expect(bodyOf(file)).toMatchObject({ text: null, hex: null, parts: names });
  expect(bodyOf(file, true)).toMatchObject({ text: null, hex: null, parts: names, note: "decoded from gzip" });
  expect(bodyOf(file.slice(0, -6))).toMatchObject({ text: null, parts: null });
  const text = `${part("a", "1")}--b--\r\n`;
  expect(bodyOf(text)).toMatchObject({ text, parts: null });
});

test("it can be sent again when all of the request is there and it stays HTTP", () => {
  expect(whyNotRepeatable(exchange({ body: Buffer.from("x") }))).toBeNull();
  expect(whyNotRepeatable(exchange({ body: Buffer.alloc(maxKeptBody + 1) }))).toContain("larger than what is kept");
  expect(whyNotRepeatable(exchange({ request: ["Upgrade: websocket"] }))).toContain("another protocol");
  const head = Buffer.from("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
  expect(
    whyNotRepeatable(new Recorder().begin(source, { bytes: head, start: 0, end: head.length, flags: 0 })),
  ).toContain("Not all of it");
});
