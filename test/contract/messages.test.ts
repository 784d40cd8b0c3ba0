// Contract: methods, bodies in every framing and size with checksums, and responses without a body.

import { expect, test } from "bun:test";
import { patternBytes, patternPieces, patternSha1 } from "../helpers/pattern.ts";
import { onlyValue, type RawClient, type RawResponse } from "../helpers/raw-client.ts";
import { describeContract, requestBytes } from "../helpers/services.ts";
import { valuesOf } from "../helpers/strict-http.ts";

const mib = 1024 * 1024;
const sizes = [0, 1, 1_000, 16 * 1024, 65_527, 65_528, 65_529, 256 * 1024 + 1, 3 * mib, 64 * mib];

/** Sends `bytes` of the pattern, framed. */
async function sendPattern(client: RawClient, bytes: number, framing: "length" | "chunked"): Promise<void> {
  for (const piece of patternPieces(0, bytes)) {
    if (framing === "chunked") await client.send(`${piece.length.toString(16)}\r\n`);
    await client.send(piece);
    if (framing === "chunked") await client.send("\r\n");
  }
  if (framing === "chunked") await client.send("0\r\n\r\n");
}

const received = (response: RawResponse): unknown => JSON.parse(response.body.toString());

describeContract("messages", {}, (parties) => {
  const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "M-SEARCH", "QUERY", "X"];
  test.each(methods)("%s arrives as it is, and its answer comes back", async (method) => {
    const response = await parties().ask("/head/method?x=1", { method });
    expect([response.status, response.body.toString().split("\r\n")[0]]).toEqual([
      200,
      `${method} /head/method?x=1 HTTP/1.1`,
    ]);
  });

  test.each(sizes)("%i bytes down with a length", async (bytes) => {
    const response = await parties().ask(`/size/${bytes}`, { discard: true });
    expect([response.bodyBytes, response.sha1]).toEqual([bytes, patternSha1(bytes)]);
    expect(onlyValue(response, "content-length")).toBe(String(bytes));
    expect(valuesOf(response.fields, "transfer-encoding")).toEqual([]);
  });

  test.each(sizes)("%i bytes down chunked", async (bytes) => {
    const response = await parties().ask(`/size/${bytes}?chunked`, { discard: true });
    expect([response.bodyBytes, response.sha1]).toEqual([bytes, patternSha1(bytes)]);
    expect(onlyValue(response, "transfer-encoding")).toBe("chunked");
    expect(valuesOf(response.fields, "content-length")).toEqual([]);
  });

  test.each(sizes.flatMap((bytes) => [[bytes, "length"] as const, [bytes, "chunked"] as const]))(
    "%i bytes up, framed by %s",
    async (bytes, framing) => {
      const { open, host, service } = parties();
      using client = await open();
      const line = framing === "length" ? `Content-Length: ${bytes}` : "Transfer-Encoding: chunked";
      const answer = client.response({ timeoutMs: 30_000 });
      const target = `/upload/${framing}-${bytes}`;
      await client.send(requestBytes(host, target, { method: "POST", lines: [line] }));
      await sendPattern(client, bytes, framing);
      expect(received(await answer)).toEqual({ bodyBytes: bytes, sha1: patternSha1(bytes), trailers: [] });
      const request = await service.next(target);
      expect([valuesOf(request.fields, "content-length"), valuesOf(request.fields, "transfer-encoding")]).toEqual(
        framing === "length" ? [[String(bytes)], []] : [[], ["chunked"]],
      );
    },
  );

  test("16 MiB up and down at once on one stream", async () => {
    const { open, host } = parties();
    using client = await open();
    const answer = client.response({ discard: true, timeoutMs: 30_000 });
    await client.send(requestBytes(host, "/echo", { method: "POST", lines: [`Content-Length: ${16 * mib}`] }));
    await sendPattern(client, 16 * mib, "length");
    const echoed = await answer;
    expect([echoed.bodyBytes, echoed.sha1]).toEqual([16 * mib, patternSha1(16 * mib)]);
  });

  test("40 uploads and downloads side by side", async () => {
    const { open, host, ask } = parties();
    const up = async (): Promise<unknown> => {
      using client = await open();
      const answer = client.response({ timeoutMs: 30_000 });
      await client.send(requestBytes(host, "/upload", { method: "PUT", lines: [`Content-Length: ${mib}`] }));
      await sendPattern(client, mib, "length");
      return received(await answer);
    };
    const down = async (): Promise<string> => (await ask(`/size/${mib}`, { discard: true })).sha1;
    const all = await Promise.all([
      Promise.all(Array.from({ length: 20 }, up)),
      Promise.all(Array.from({ length: 20 }, down)),
    ]);
    const wanted = { bodyBytes: mib, sha1: patternSha1(mib), trailers: [] };
    expect(all).toEqual([Array(20).fill(wanted), Array(20).fill(patternSha1(mib))]);
  });

  test("a body that ends with its connection becomes chunked and ends cleanly", async () => {
    for (const version of ["1.1", "1.0"]) {
      const response = await parties().ask(`/until-close/100000?version=${version}`);
      expect([response.sha1, onlyValue(response, "transfer-encoding")]).toEqual([patternSha1(100_000), "chunked"]);
    }
  });

  test("compressed bodies pass untouched", async () => {
    const response = await parties().ask("/gzip", { lines: ["Accept-Encoding: gzip, br"] });
    expect(onlyValue(response, "content-encoding")).toBe("gzip");
    expect(Buffer.from(Bun.gunzipSync(new Uint8Array(response.body))).toString()).toBe("hello ".repeat(1000));
  });

  test("ranges, and a download that is resumed", async () => {
    const { ask } = parties();
    const part = await ask("/range/1000000", { lines: ["Range: bytes=100-199"] });
    expect([part.status, onlyValue(part, "content-range"), part.body]).toEqual([
      206,
      "bytes 100-199/1000000",
      patternBytes(100, 200),
    ]);
    const first = await ask("/range/1000000", { lines: ["Range: bytes=0-299999"] });
    const rest = await ask("/range/1000000", { lines: ["Range: bytes=300000-", 'If-Range: "v1"'] });
    const sum = new Bun.CryptoHasher("sha1").update(first.body).update(rest.body).digest("hex");
    expect(sum).toBe(patternSha1(1_000_000));
    expect((await ask("/range/1000", { lines: ["Range: bytes=1000-"] })).status).toBe(416);
    expect((await ask("/range/1000", { lines: ["Range: bytes=-5"] })).body).toEqual(patternBytes(995, 1000));
  });

  test("HEAD says the length of what GET would send, and the connection goes on", async () => {
    const { open, host } = parties();
    using client = await open();
    for (const target of ["/size/12345", "/size/12345?chunked", "/range/500", "/ok"]) {
      await client.send(requestBytes(host, target, { method: "HEAD" }));
      const head = await client.response({ toHead: true });
      expect([head.status, head.bodyBytes]).toEqual([200, 0]);
      if (target === "/size/12345") expect(onlyValue(head, "content-length")).toBe("12345");
      if (target === "/range/500") expect(onlyValue(head, "content-length")).toBe("500");
    }
    await client.send(requestBytes(host, "/size/5"));
    expect((await client.response()).body).toEqual(patternBytes(0, 5));
  });

  test.each([200, 201, 204, 205, 302, 304, 400, 404, 418, 429, 500, 503, 599])(
    "status %i with an empty body, then another request",
    async (status) => {
      const { open, host } = parties();
      using client = await open();
      await client.send(requestBytes(host, `/status/${status}`) + requestBytes(host, "/ok"));
      const response = await client.response();
      expect([response.status, response.reason, onlyValue(response, "x-status"), response.bodyBytes]).toEqual([
        status,
        "Status",
        String(status),
        0,
      ]);
      if (status === 204) expect(valuesOf(response.fields, "content-length")).toEqual([]);
      expect((await client.response()).body.toString()).toBe("ok\n");
    },
  );

  test("a 304 may name the length of what it doesn't send", async () => {
    const { open, host } = parties();
    using client = await open();
    await client.send(requestBytes(host, "/status/304?length=777") + requestBytes(host, "/ok"));
    expect(onlyValue(await client.response(), "content-length")).toBe("777");
    expect((await client.response()).status).toBe(200);
  });

  test("a GET with a body is forwarded with it", async () => {
    const response = await parties().ask("/upload", { lines: ["Content-Length: 5"], body: "hello" });
    expect(received(response)).toMatchObject({ bodyBytes: 5 });
  });
});
