// A fresh server's first hours: its log says where to set it up, who is logged in stays so over a restart, a proxy is named once.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { generateSync } from "otplib";
import { eventually } from "../helpers/eventually.ts";
import { createHttpBrowser } from "../helpers/http-browser.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";

setDefaultTimeout(30_000);

const password = "a long enough password";
const username = "first";

const messages = ({ log }: ServerProcess): string[] => log.map(({ message }) => message);
const setupUrls = (server: ServerProcess): string[] =>
  messages(server).flatMap((message) => /set up the first administrator at (\S+)/.exec(message)?.[1] ?? []);

/** Calls the API as a page of the dashboard does; `cookie` is kept as the server sets it. */
function dashboard(server: ServerProcess) {
  const jar = new Map<string, string>();
  const origin = `http://localhost:${server.port}`;
  async function call(method: string, path: string, body?: unknown, at = server): Promise<Record<string, unknown>> {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(`http://127.0.0.1:${at.port}${path}`, {
      method,
      headers: {
        ...{ host: `localhost:${at.port}`, origin, "sec-fetch-site": "same-origin", cookie },
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [name = "", value = ""] = line.split(";", 1)[0]!.split("=");
      jar.set(name, value);
    }
    return { status: response.status, ...((await response.json()) as object) };
  }
  return { call };
}

test("the log of a fresh server leads to its set-up; sessions of dashboard and visitors outlive a restart, by secrets kept beside the database", async () => {
  const settings = { shards: 1, env: { ADMIN_TOKEN: "" } };
  await using server = await startServerProcess(settings);
  // It is the line after the one that says that the server is up.
  await eventually(() => setupUrls(server).length > 0, "the log has the set-up URL");
  const [url, ...more] = setupUrls(server);
  expect(more).toEqual([]);
  expect(url).toStartWith(`http://localhost:${server.port}/setup#code=`);

  const { call } = dashboard(server);
  const code = url!.split("#code=")[1];
  const begun = await call("POST", "/setup/init", { code, username, password });
  const totp = generateSync({ secret: String(begun["secret"]), epoch: Math.floor(Date.now() / 1_000) });
  expect(await call("POST", "/setup/totp", { code: totp })).toMatchObject({ status: 200 });
  expect(await call("POST", "/setup/complete", { allowCurrentAddress: true })).toMatchObject({ status: 200 });
  const { organization } = await call("POST", "/admin/organizations", { name: "kept" });
  const orgId = (organization as { id: string }).id;
  const wish = { orgId, subdomain: "guarded", name: "guarded", authMode: "custom" };
  const { application } = await call("POST", "/admin/applications", wish);
  const policy = { authType: "basic", basicUsername: "ada", basicPassword: password };
  const path = `/admin/applications/${(application as { id: string }).id}/policy`;
  expect(await call("PUT", path, policy)).toMatchObject({ status: 200 });
  const visitor = createHttpBrowser(server.port);
  const guarded = `http://guarded.localhost:${server.port}`;
  const login = { username: "ada", password, to: "/" };
  expect((await visitor.send(`${guarded}/__auth/basic`, login)).status).toBe(303);
  // Whoever passes is told that no agent is there; whoever doesn't is sent to the form.
  expect((await visitor.send(`${guarded}/`)).status).toBe(503);

  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  await using next = await startServerProcess({ ...settings, again: server });
  expect(setupUrls(next)).toEqual([]);
  expect(await call("GET", "/auth/me", undefined, next)).toMatchObject({ status: 200, account: { username } });
  expect((await visitor.send(`${guarded}/`)).status).toBe(503);
  expect((await createHttpBrowser(server.port).send(`${guarded}/`)).status).toBe(302);

  // It was the kept secret: with another one nobody is logged in.
  next.signal("SIGTERM");
  await next.exited;
  rmSync(join(server.folder, "jwt-secret"));
  await using last = await startServerProcess({ ...settings, again: server });
  expect(await call("GET", "/auth/me", undefined, last)).toMatchObject({ status: 401 });
});

test("forwarding headers of a peer that is not trusted are told once, with the line to set", async () => {
  await using server = await startServerProcess({ shards: 1 });
  const ask = (name: string, field: string, localAddress: string) =>
    requestOnce(
      { port: server.port, localAddress },
      `GET /live HTTP/1.1\r\nHost: ${name}\r\n${field}\r\nConnection: close\r\n\r\n`,
    );
  const told = (): string[] => messages(server).filter((message) => message.includes("TRUSTED_PROXIES"));
  await ask("localhost", "X-Other: 1", "127.0.0.1");
  expect(told()).toEqual([]);
  for (const name of ["nobody.localhost", "localhost", "localhost"])
    for (const localAddress of ["127.0.0.2", "127.0.0.3"]) await ask(name, "X-Forwarded-For: 192.0.2.1", localAddress);
  server.signal("SIGTERM");
  await server.exited;
  expect(told()).toEqual([expect.stringContaining("set TRUSTED_PROXIES=127.0.0.2")]);
  await using trusting = await startServerProcess({ shards: 1, env: { TRUSTED_PROXIES: "127.0.0.2" } });
  const request = "GET /live HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
  await requestOnce({ port: trusting.port, localAddress: "127.0.0.2" }, request);
  trusting.signal("SIGTERM");
  await trusting.exited;
  expect(messages(trusting).filter((message) => message.includes("TRUSTED_PROXIES"))).toEqual([]);
});
