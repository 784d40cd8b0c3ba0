// Policy × credential × method × path through the real ingress, shards and an agent: what the local service sees, byte by byte.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  type AppName,
  appNames,
  credentialsFor,
  type IngressWorld,
  startIngressWorld,
} from "../helpers/ingress-world.ts";
import { RawClient, type RawResponse } from "../helpers/raw-client.ts";
import { valuesOf } from "../helpers/strict-http.ts";

setDefaultTimeout(120_000);

let world: IngressWorld;
beforeAll(async () => void (world = await startIngressWorld()));
afterAll(async () => world?.[Symbol.asyncDispose]());

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"];
/** What the gate lets through as it is; no policy may judge it as another path. */
const targets = [
  "/",
  "/a?b=c",
  "//",
  "/%2e%2e/",
  "/__auth/../x",
  "/health/../x",
  "/HEALTH",
  "/__AUTH/login",
  "/a;b",
  "/%00",
  "/__auth/other",
  "/__auth/login/",
];

const keys = ["right key", "right key as bearer", "organization's key"];
/** Who passes; nobody else may. */
const passes: Record<AppName, string[] | "everybody"> = {
  basic: ["right basic", "session"],
  "basic-keys": ["right basic", "session", ...keys],
  keys,
  oidc: ["session"],
  "oidc-keys": ["session", ...keys],
  "inherited-keys": keys,
  "inherited-basic": ["right basic", "session"],
  "inherited-oidc": ["session"],
  missing: [],
  disabled: "everybody",
  nothing: "everybody",
  "leased-keys": keys,
  "leased-basic": ["right basic", "session"],
};

/** Requests that no policy lets through, because they never get as far. HOST is the application's. */
const malformed: Record<string, string> = {
  "NUL in the target": "GET /a\0b HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n\r\n",
  "absolute-form": "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n\r\n",
  "absolute-form of an open name": "GET http://disabled.localhost/ HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n\r\n",
  "two Hosts": "GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\nCREDENTIAL\r\n\r\n",
  "two Hosts, one of an open name": "GET / HTTP/1.1\r\nHost: disabled.localhost\r\nHost: HOST\r\nCREDENTIAL\r\n\r\n",
  "no Host": "GET / HTTP/1.1\r\nCREDENTIAL\r\n\r\n",
  "a fragment": "GET /#x HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n\r\n",
  "a backslash": "GET /\\..\\x HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n\r\n",
};

/** What a visitor would like the local service to believe. Every request brings it. */
const forged = [
  "X-Digit-Link-User",
  "x-digit-link-email",
  "X_Digit_Link_User",
  "x-digit_link-EMAIL",
  "X-DIGIT-LINK-ROLE",
]
  .map((name) => `${name}: forged\r\n`)
  .join("");

/** What the local service is told about a visitor who passed with `credential`. */
function identityOf(app: AppName, credential: string): { user: string[]; email: string[] } {
  const isLogin = credential === "session" || credential === "right basic";
  if (!isLogin || passes[app] === "everybody") return { user: [], email: [] };
  return { user: ["ada"], email: app.includes("oidc") ? ["ada@example.com"] : [] };
}

const credentialsByApp = new Map<AppName, ReturnType<typeof credentialsFor>>();
/** Made once: both tests send the same ones. */
function credentialsOf(app: AppName): ReturnType<typeof credentialsFor> {
  const made = credentialsByApp.get(app) ?? credentialsFor(world, app);
  credentialsByApp.set(app, made);
  return made;
}

let addresses = 0;
/** Sends requests in one go, those behind an answer that closes on the next connection, from an address of its own. */
async function askAll(requests: readonly string[]): Promise<RawResponse[]> {
  addresses += 1;
  const localAddress = `127.1.${addresses >> 8}.${addresses & 255}`;
  const answers: RawResponse[] = [];
  while (answers.length < requests.length) {
    const rest = requests.slice(answers.length);
    using client = await RawClient.open({ port: world.port, localAddress });
    const coming = rest.map((request) => client.response({ toHead: request.startsWith("HEAD ") }));
    // Those behind a close fail, and are asked again.
    for (const one of coming) one.catch(() => {});
    await client.send(rest.join(""));
    for (const one of coming) {
      const answer = await one;
      answers.push(answer);
      if (valuesOf(answer.fields, "connection").some((value) => value.toLowerCase() === "close")) break;
    }
  }
  return answers;
}

/** The parts of a credential's lines that must never reach a local service. */
function secretsIn(lines: string): string[] {
  return [/dlk_\S+/, /dl_visitor=\S+/, /Basic \S+/].flatMap((pattern) => pattern.exec(lines)?.[0] ?? []);
}

describe("security", () => {
  test.each(appNames)(
    "%s: only who may pass is seen by the local service, under the true identity and without a credential of ours",
    async (app) => {
      const credentials = await credentialsOf(app);
      const allowed = passes[app];
      const before = world.local.requests.length;
      const cases = Object.entries(credentials).flatMap(([credential, lines]) =>
        methods.flatMap((method) =>
          targets.map((target) => ({
            id: `${app} ${credential} ${method} ${target}`,
            credential,
            lines,
            method,
            target,
          })),
        ),
      );
      const byCredential = Map.groupBy(cases, ({ credential }) => credential);
      const statuses = new Map<string, number>();
      await Promise.all(
        [...byCredential.values()].map(async (group) => {
          const answers = await askAll(
            group.map(
              ({ method, target, id, lines }) =>
                `${method} ${target} HTTP/1.1\r\nHost: ${app}.localhost\r\nX-Case: ${id}\r\n${forged}${lines}Content-Length: 0\r\n\r\n`,
            ),
          );
          for (const [i, { id }] of group.entries()) statuses.set(id, answers[i]!.status);
        }),
      );
      const isAllowed = (credential: string): boolean => allowed === "everybody" || allowed.includes(credential);
      const seen = world.local.requests.slice(before);
      const wanted = cases.filter(({ credential }) => isAllowed(credential)).map(({ id }) => id);
      expect(seen.map(({ fields }) => valuesOf(fields, "x-case")[0] ?? "").toSorted()).toEqual(wanted.toSorted());
      const refused = cases.filter(({ credential }) => !isAllowed(credential));
      const wrongly = refused.filter(({ id }) => ![401, 403].includes(statuses.get(id) ?? 0));
      expect(wrongly.map(({ id }) => `${id}: ${statuses.get(id)}`)).toEqual([]);

      const byId = new Map(cases.map((one) => [one.id, one]));
      const isProtected = allowed !== "everybody";
      for (const { raw, method, target, fields } of seen) {
        const one = byId.get(valuesOf(fields, "x-case")[0] ?? "")!;
        expect({ method, target }).toEqual({ method: one.method, target: one.target });
        // Where no policy asks for it, Basic is the application's own.
        const leaked = secretsIn(one.lines).filter(
          (secret) => raw.includes(secret) && (isProtected || !secret.startsWith("Basic ")),
        );
        expect({ id: one.id, leaked }).toEqual({ id: one.id, leaked: [] });
        expect(raw).not.toContain("forged");
        const identity = { user: valuesOf(fields, "x-digit-link-user"), email: valuesOf(fields, "x-digit-link-email") };
        expect({ id: one.id, ...identity }).toEqual({ id: one.id, ...identityOf(app, one.credential) });
        if (one.lines.startsWith("Cookie:")) expect(valuesOf(fields, "cookie")).toEqual(["own=1"]);
      }
      expect(world.local.problems).toEqual([]);
    },
  );

  test("malformed requests reach nobody, whatever they bring", async () => {
    const before = world.local.requests.length;
    const cases = await Promise.all(
      appNames.map(async (app) => {
        const credentials = await credentialsOf(app);
        return Object.entries(malformed).flatMap(([what, request]) =>
          ["none", "right basic", "right key", "session"].map((credential) => ({
            ...{ app, what, credential },
            text: request.replaceAll("HOST", `${app}.localhost`).replace("CREDENTIAL\r\n", credentials[credential]!),
          })),
        );
      }),
    );
    await Promise.all(
      cases.map(async (ofApp) => {
        for (const { text, ...one } of ofApp) {
          const [answer] = await askAll([text]);
          expect({ ...one, status: answer?.status }).toEqual({ ...one, status: 400 });
        }
      }),
    );
    expect(world.local.requests.length).toBe(before);
  });

  test("who the visitor is arrives by HTTP/1.0 too, and can't be named away in Connection", async () => {
    const { "right basic": basic = "" } = await credentialsOf("basic");
    for (const version of ["1.0", "1.1"]) {
      const seen = world.local.next(`/version-${version}`);
      const named = "Connection: close, X-Digit-Link-User\r\n";
      await askAll([
        `GET /version-${version} HTTP/${version}\r\nHost: basic.localhost\r\n${forged}${basic}${named}\r\n`,
      ]);
      const { raw, fields } = await seen;
      expect({ version, user: valuesOf(fields, "x-digit-link-user") }).toEqual({ version, user: ["ada"] });
      expect(raw).not.toContain("forged");
    }
  });
});
