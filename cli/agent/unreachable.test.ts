// The words for a server that can't be reached: what happened and what to do, and nothing of the program's inside.

import { expect, test } from "bun:test";
import { testTls } from "../../test/helpers/test-tls.ts";
import { checkToken } from "./check-token.ts";
import { unreachableText } from "./unreachable.ts";

const noHttp = (tls?: typeof testTls) =>
  Bun.listen({ hostname: "127.0.0.1", port: 0, ...(tls && { tls }), socket: { data: (socket) => void socket.end() } });

test("what fetch says becomes words for a user", async () => {
  using plain = noHttp();
  using web = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  using secure = noHttp(testTls);
  const untrusted = "nobody trusted here vouches for its certificate";
  for (const [server, why] of [
    ["http://127.0.0.1:1", "connection refused: nothing listens there"],
    ["http://nowhere.invalid", "no host of this name is known"],
    [`http://127.0.0.1:${plain.port}`, "it closed the connection without an answer; does it want https://?"],
    [`http://127.0.0.1:${secure.port}`, "it closed the connection without an answer; does it want https://?"],
    [`https://127.0.0.1:${web.port}`, "the TLS handshake failed; does it speak TLS on this port?"],
    [`https://localhost:${secure.port}`, `${untrusted}; with an authority of your own set NODE_EXTRA_CA_CERTS=ca.pem`],
  ] as const)
    expect([server, await checkToken(server, "t")]).toEqual([server, { unknown: why }]);
});

test("of a proxy is told that it is one, without its password", () => {
  const url = new URL("https://tunnel.example");
  const refused = Object.assign(new TypeError("ECONNREFUSED: Unable to connect."), { code: "ECONNREFUSED" });
  expect(unreachableText(refused, url, "http://user:secret@proxy.example:3128")).toBe(
    "through the proxy proxy.example:3128: connection refused: nothing listens there",
  );
});

test("what is not known is said as it is, without Bun's advice to programmers", () => {
  const url = new URL("https://tunnel.example");
  const advice = "For more information, pass `verbose: true` in the second argument to fetch()";
  expect(unreachableText(new TypeError(`Strange fetching "x". ${advice}`), url, false)).toBe('Strange fetching "x"');
});
