// Dialing targets: TLS that must verify and that needn't, IPv6, nobody there.

import { afterAll, describe, expect, test } from "bun:test";
import { longNamesTls, testTls } from "../../test/helpers/test-tls.ts";
import { ClientPool } from "./client-pool.ts";
import type { Target } from "./client-dial.ts";

const secure = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: testTls, fetch: () => new Response("secure") });
const plain = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("plain") });
afterAll(async () => {
  await secure.stop(true);
  await plain.stop(true);
});

/** The status of `GET /`, or why there is none. */
function ask(target: Target): Promise<number | string> {
  const { promise, resolve } = Promise.withResolvers<number | string>();
  const connection = new ClientPool(target).begin(
    {
      head: (head) => resolve(head.status),
      bodyData() {},
      bodyEnd() {},
      finished() {},
      failed: (failure, detail) => resolve(`${failure}: ${detail}`),
      drained() {},
    },
    false,
  );
  const request = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  connection.write(request, 0, request.length);
  connection.requestEnd();
  return promise;
}

const at = (port: number | undefined, tls?: object): Target => ({ hostname: "127.0.0.1", port: port ?? 0, tls });

test.each([
  ["nobody vouches for", { serverName: "127.0.0.1" }],
  ["nobody vouches for, and for another name", { serverName: "other.test" }],
  ["is for another name", { serverName: "other.test", ca: testTls.cert }],
])("a certificate that needn't verify: one that %s", async (_, tls) => {
  expect(await ask(at(secure.port, { rejectUnauthorized: false, ...tls }))).toBe(200);
});

test("where no certificate need verify, what speaks no TLS is reached no more than elsewhere", async () => {
  const answer = await ask(at(plain.port, { rejectUnauthorized: false }));
  expect(answer).toBe("unreachable: TLS: what listens there speaks no TLS");
});

test("a target without TLS says so", async () => {
  expect(await ask(at(plain.port, { rejectUnauthorized: true }))).toMatch(/^unreachable: TLS: /);
});

test("an IPv6 target", async () => {
  using local = Bun.serve({ hostname: "::1", port: 0, fetch: () => new Response("six") });
  expect(await ask({ hostname: "::1", port: local.port ?? 0 })).toBe(200);
});

test("the names of a certificate are no page of text: a reason fits where it goes, in a frame as on a line", async () => {
  using local = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: longNamesTls, fetch: () => new Response("other") });
  const tls = { rejectUnauthorized: true, serverName: "localhost", ca: longNamesTls.cert };
  const answer = String(await ask(at(local.port, tls)));
  expect(answer).toStartWith(
    "unreachable: TLS: certificate refused: Hostname/IP does not match certificate's altnames",
  );
  expect(Buffer.byteLength(answer)).toBeLessThan(200);
  expect(answer).toEndWith("…");
});

describe("security", () => {
  test("a certificate that must verify and does", async () => {
    expect(await ask(at(secure.port, { rejectUnauthorized: true, serverName: "localhost", ca: testTls.cert }))).toBe(
      200,
    );
  });

  test.each([
    ["nobody vouches for", { serverName: "localhost" }, "self signed"],
    ["is for another name", { serverName: "other.test", ca: testTls.cert }, "does not match"],
  ])("a certificate that %s is refused, and the reason is said", async (_, tls, why) => {
    const answer = await ask(at(secure.port, { rejectUnauthorized: true, ...tls }));
    expect(answer).toStartWith("unreachable: TLS: ");
    expect(answer).toContain(why);
  });
});
