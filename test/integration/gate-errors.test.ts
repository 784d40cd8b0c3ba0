// Errors that the gate answers on the base domain: pages for browsers, and the security headers of everything there.

import { test, expect } from "bun:test";
import { type RawResponse, requestOnce } from "../helpers/raw-client.ts";
import { startTestServer } from "../helpers/server.ts";
import { valuesOf } from "../helpers/strict-http.ts";

test("a browser that finds nothing on the base domain is led to the dashboard's own; every answer keeps to TLS", async () => {
  const env = { SCHEME: "https", PUBLIC_PORT: "443", DASHBOARD_DOMAIN: "panel.example" };
  await using server = await startTestServer(env);
  const ask = (lines: string): Promise<RawResponse> => requestOnce(server, `GET /nowhere HTTP/1.1\r\n${lines}\r\n`);
  const browser = await ask("Host: localhost\r\nAccept: text/html\r\n");
  expect([browser.status, valuesOf(browser.fields, "content-type")]).toEqual([404, ["text/html; charset=utf-8"]]);
  expect(browser.body.toString()).toContain('<a class="go" href="https://panel.example">');
  const program = await ask("Host: localhost\r\n");
  expect(JSON.parse(program.body.toString())).toMatchObject({ error: { code: "not_found" } });
  const malformed = await ask("");
  for (const { fields } of [browser, program, malformed, await ask("Host: panel.example\r\n")]) {
    expect(valuesOf(fields, "strict-transport-security")).toEqual(["max-age=31536000"]);
    expect(valuesOf(fields, "permissions-policy")).toHaveLength(1);
  }
  const tenant = await ask("Host: nobody.localhost\r\n");
  expect([tenant.status, valuesOf(tenant.fields, "strict-transport-security")]).toEqual([404, []]);
});
