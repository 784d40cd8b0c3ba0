// Contract: what is added to a request, what is taken out of both directions, and what a visitor can't forge.

import { describe, expect, test } from "bun:test";
import { onlyValue } from "../helpers/raw-client.ts";
import { describeContractAndLent, requestBytes } from "../helpers/services.ts";
import { valuesOf } from "../helpers/strict-http.ts";

const proxied = { TRUSTED_PROXIES: "127.0.0.9,127.0.1.0/24" };

describeContractAndLent("forwarding", proxied, (parties) => {
  /** The head that the local service got, as its field lines in lower-case names. */
  async function seen(lines: string[], localAddress?: string): Promise<Record<string, string[]>> {
    const { open, host } = parties();
    using client = await open(localAddress);
    await client.send(requestBytes(host, "/head/x", { lines }));
    const head = (await client.response()).body.toString("latin1");
    const seenLines: Record<string, string[]> = {};
    for (const line of head.trimEnd().split("\r\n").slice(1)) {
      const [name, value] = [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()];
      (seenLines[name] ??= []).push(value);
    }
    return seenLines;
  }

  test("the visitor's address, scheme and host, and a request id of its own", async () => {
    const first = await seen([], "127.0.0.5");
    expect(first).toEqual({
      host: ["demo.localhost"],
      "x-forwarded-for": ["127.0.0.5"],
      "x-forwarded-proto": ["http"],
      "x-forwarded-host": ["demo.localhost"],
      forwarded: ["for=127.0.0.5;host=demo.localhost;proto=http"],
      "x-request-id": [expect.stringMatching(/^[0-9a-f]{16,}$/)],
    });
    expect((await seen([]))["x-request-id"]).not.toEqual(first["x-request-id"]!);
  });

  test("a trusted proxy is believed, up to the first address that isn't one", async () => {
    const lines = ["X-Forwarded-For: 203.0.113.1, 198.51.100.7, 127.0.1.3", "X-Forwarded-Proto: https"];
    const head = await seen(lines, "127.0.0.9");
    expect([head["x-forwarded-for"], head["x-forwarded-proto"], head["forwarded"]]).toEqual([
      ["198.51.100.7"],
      ["https"],
      ["for=198.51.100.7;host=demo.localhost;proto=https"],
    ]);
    const standard = await seen(['Forwarded: for="[2001:db8::7]:1234";proto=https'], "127.0.0.9");
    expect([standard["x-forwarded-for"], standard["forwarded"]]).toEqual([
      ["2001:db8::7"],
      ['for="[2001:db8::7]";host=demo.localhost;proto=https'],
    ]);
    // What isn't an address was written by nobody we trust.
    expect((await seen(["X-Forwarded-For: 203.0.113.1, unknown"], "127.0.0.9"))["x-forwarded-for"]).toEqual([
      "127.0.0.9",
    ]);
  });

  describe("security", () => {
    test("on a connection that is kept each request has its own host, and behind a proxy its own visitor", async () => {
      for (const peer of ["127.0.0.9", "127.0.0.5"]) {
        using kept = await parties().open(peer);
        for (const [named, host] of [
          ["203.0.113.1", "demo.localhost"],
          ["203.0.113.2", "demo.localhost"],
          ["203.0.113.2", "demo.localhost:8080"],
        ] as const) {
          await kept.send(requestBytes(host, "/head/x", { lines: [`X-Forwarded-For: ${named}`] }));
          const head = (await kept.response()).body.toString("latin1");
          expect(head).toContain(`\r\nX-Forwarded-For: ${peer === "127.0.0.9" ? named : peer}\r\n`);
          expect(head).toContain(`\r\nX-Forwarded-Host: ${host}\r\n`);
        }
      }
    });

    test("nobody else is believed, however the headers are spelled", async () => {
      const names = [
        "X-Forwarded-For",
        "x_forwarded_for",
        "X-Forwarded_For",
        "X-FORWARDED-PROTO",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-User",
        "X-Forwarded-Prefix",
        "X-Real-IP",
        "x_real_ip",
        "Forwarded",
        "X-Request-ID",
        "x_request_id",
        "X-Digit-Link-User",
        "x_digit_link_email",
        "X-Digit-Link-Address",
        "X-Digit-Link-Network",
      ];
      const head = await seen([...names.map((name) => `${name}: 6.6.6.6`), "X-Kept: 1"]);
      expect(JSON.stringify(head)).not.toContain("6.6.6.6");
      expect([head["x-kept"], head["x-forwarded-for"]]).toEqual([["1"], ["127.0.0.1"]]);
    });

    test("hop-by-hop fields of a request go no further, nor those that Connection names", async () => {
      const head = await seen([
        "Connection: keep-alive, X-Secret,\tx_other",
        "CONNECTION: x-third",
        "X-Secret: hop",
        "x_secret: hop",
        "X-Other: hop",
        "X-Third: hop",
        "Keep-Alive: timeout=hop",
        "Proxy-Connection: hop",
        "Proxy-Authorization: hop",
        "TE: hop",
        "Upgrade: hop",
        "X-Kept: 1",
      ]);
      expect(JSON.stringify(head)).not.toContain("hop");
      expect(Object.keys(head)).toEqual([
        "host",
        "x-kept",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
        "x-request-id",
      ]);
    });

    test("Connection can't name away what we add", async () => {
      const head = await seen(["Connection: close, X-Forwarded-For, X-Request-Id, Host, Forwarded"]);
      expect([head["x-forwarded-for"], head["host"], head["x-request-id"]?.length]).toEqual([
        ["127.0.0.1"],
        ["demo.localhost"],
        1,
      ]);
    });

    test("hop-by-hop fields of a response go no further", async () => {
      const response = await parties().ask("/hop");
      expect(JSON.stringify(response.fields)).not.toContain("hop");
      expect(valuesOf(response.fields, "x-kept")).toEqual(["1"]);
      expect(response.body.toString()).toBe("hopped");
    });

    test("our cookies never reach a local service, and it can't set them", async () => {
      const head = await seen([
        "Cookie: a=1; dl_session=secret; b=2; __Host-dl_session=secret; c=dl_session",
        "Cookie: dl_visitor=secret",
      ]);
      expect(JSON.stringify(head)).not.toContain("secret");
      expect(head["cookie"]).toEqual(["a=1; b=2; c=dl_session"]);
      const response = await parties().ask("/planted");
      expect(valuesOf(response.fields, "set-cookie")).toEqual(["own=1", "adl_x=2"]);
    });

    test("error pages reflect nothing and are not kept", async () => {
      const { open, server } = parties();
      const evil = "<script>alert('x')</script>";
      for (const accept of ["text/html", "application/json"]) {
        for (const bytes of [
          `GET /${evil.replaceAll(" ", "")} HTTP/1.1\r\nHost: nobody.localhost\r\nAccept: ${accept}\r\nX-A: ${evil}\r\nUser-Agent: ${evil}\r\n\r\n`,
          `GET /${evil} HTTP/1.1\r\nHost: evil.example\r\nAccept: ${accept}\r\nReferer: ${evil}\r\n\r\n`,
          `${evil} / HTTP/1.1\r\nHost: nobody.localhost\r\nAccept: ${accept}\r\n\r\n`,
          `GET / HTTP/1.1\r\nHost: ${evil}\r\nAccept: ${accept}\r\n\r\n`,
        ]) {
          using client = await open();
          await client.send(bytes);
          const response = await client.response();
          expect(response.status).toBeOneOf([400, 404, 421]);
          expect(response.head + response.body.toString()).not.toContain("alert");
          expect(onlyValue(response, "cache-control")).toBe("no-store");
          expect(onlyValue(response, "x-content-type-options")).toBe("nosniff");
          if (onlyValue(response, "content-type").startsWith("text/html"))
            expect(onlyValue(response, "content-security-policy")).toStartWith("default-src 'none'");
        }
      }
      expect(server.logs.join("\n")).not.toContain("alert");
    });
  });
});
