// Contract: visitors that break off, hurry ahead or don't read while an answer is on its way.

import { describe, expect, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { patternSha1 } from "../helpers/pattern.ts";
import { describeContract, requestBytes, upgradeLines } from "../helpers/services.ts";

describeContract("visitors out of turn", { MAX_BODY_BYTES: "100000" }, (parties) => {
  test("bytes sent ahead of the 101, more than are kept, and bytes behind them", async () => {
    const { open, host } = parties();
    using client = await open();
    const ahead = "x".repeat(200_000);
    await client.send(requestBytes(host, "/raw", { lines: upgradeLines }) + ahead);
    expect((await client.response()).status).toBe(101);
    expect((await client.rawBytes(ahead.length)).length).toBe(ahead.length);
    await client.send("more");
    expect((await client.rawBytes(4)).toString()).toBe("more");
  });

  test("a pipelined request for another host waits until the answer before it has left", async () => {
    const { open, host, other } = parties();
    using client = await open();
    client.pause();
    const bytes = 12_000_000;
    await client.send(requestBytes(host, `/size/${bytes}`) + requestBytes(other.host, "/ok"));
    await eventually(() => parties().service.requests.some(({ target }) => target === `/size/${bytes}`), "it arrived");
    // Long enough for the service's last byte to reach the server's queue, if that took it.
    await Bun.sleep(100);
    client.resume();
    expect((await client.response({ discard: true })).sha1).toBe(patternSha1(bytes));
    expect((await client.response()).status).toBe(200);
  });

  describe("security", () => {
    test.each([
      ["malformed", "zz\r\n"],
      ["too large", `${(100_000).toString(16)}\r\n${"x".repeat(100_000)}\r\n`],
    ])(
      "an upload that turns out %s after its answer has begun breaks the connection, nothing else",
      async (_, rest) => {
        const { open, host } = parties();
        using client = await open();
        await client.send(requestBytes(host, "/echo", { method: "POST", lines: ["Transfer-Encoding: chunked"] }));
        await client.send("5\r\nhello\r\n");
        await client.until("hello");
        await client.send(rest);
        await client.ended;
        expect(client.received.split("HTTP/1.1 ").length).toBe(2);
        expect(client.received).not.toEndWith("0\r\n\r\n");
      },
    );

    test("a visitor that pipelines and reads nothing is not answered ahead without end", async () => {
      const { open, host, service } = parties();
      using client = await open();
      client.pause();
      const before = service.requests.length;
      void client.send(requestBytes(host, "/size/250000").repeat(400));
      let last = -1;
      await eventually(
        () => {
          const now = service.requests.length;
          const isStill = now > before && now === last;
          last = now;
          return isStill;
        },
        "no more requests arrive",
        10_000,
        300,
      );
      expect((last - before) * 250_000).toBeLessThan(40_000_000);
      client.resume();
      for (const response of await client.responses(400, { discard: true })) expect(response.bodyBytes).toBe(250_000);
    });
  });
});
