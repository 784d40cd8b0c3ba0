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
  inherited: keys,
  oidc: ["session"],
  missing: [],
  disabled: "everybody",
  nothing: "everybody",
};

/** Requests that no policy lets through, because they never get as far. HOST is the application's. */
const malformed: Record<string, string> = {
  "NUL in the target": "GET /a\0b HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n",
  "absolute-form": "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n",
  "absolute-form of an open name": "GET http://disabled.localhost/ HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n",
  "two Hosts": "GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\nCREDENTIAL\r\n",
  "two Hosts, one of an open name": "GET / HTTP/1.1\r\nHost: disabled.localhost\r\nHost: HOST\r\nCREDENTIAL\r\n",
  "no Host": "GET / HTTP/1.1\r\nCREDENTIAL\r\n",
  "a fragment": "GET /#x HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n",
  "a backslash": "GET /\\..\\x HTTP/1.1\r\nHost: HOST\r\nCREDENTIAL\r\n",
};

let addresses = 0;
/** Sends one request after the other, on one connection as long as it lives, from an address of its own. */
async function askAll(requests: readonly string[]): Promise<RawResponse[]> {
  addresses += 1;
  const localAddress = `127.1.${addresses >> 8}.${addresses & 255}`;
  const answers: RawResponse[] = [];
  let client: RawClient | null = null;
  try {
    for (const request of requests) {
      client ??= await RawClient.open({ port: world.port, localAddress });
      const answer = client.response({ toHead: request.startsWith("HEAD ") });
      await client.send(request);
      answers.push(await answer);
      if (valuesOf(answers.at(-1)!.fields, "connection").some((value) => value.toLowerCase() === "close")) {
        client[Symbol.dispose]();
        client = null;
      }
    }
  } finally {
    client?.[Symbol.dispose]();
  }
  return answers;
}

/** The parts of a credential's lines that must never reach a local service. */
function secretsIn(lines: string): string[] {
  return [/dlk_\S+/, /dl_visitor=\S+/, /Basic \S+/].flatMap((pattern) => pattern.exec(lines)?.[0] ?? []);
}

describe("security", () => {
  test.each(appNames)(
    "%s: only who may pass is seen by the local service, without a credential of ours",
    async (app) => {
      const credentials = await credentialsFor(world, app);
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
                `${method} ${target} HTTP/1.1\r\nHost: ${app}.localhost\r\nX-Case: ${id}\r\n${lines}Content-Length: 0\r\n\r\n`,
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
        if (one.lines.startsWith("Cookie:")) expect(valuesOf(fields, "cookie")).toEqual(["own=1"]);
      }
      expect(world.local.problems).toEqual([]);
    },
  );

  test("malformed requests reach nobody, whatever they bring", async () => {
    const before = world.local.requests.length;
    for (const app of ["basic-keys", "disabled"] as const) {
      const credentials = await credentialsFor(world, app);
      for (const [what, request] of Object.entries(malformed)) {
        for (const credential of ["none", "right basic", "right key", "session"]) {
          const text = request.replaceAll("HOST", `${app}.localhost`).replace("CREDENTIAL", credentials[credential]!);
          const [answer] = await askAll([text.replace(/\r\n\r\n\r\n$/, "\r\n\r\n")]);
          expect({ what, credential, status: answer?.status }).toEqual({ what, credential, status: 400 });
        }
      }
    }
    expect(world.local.requests.length).toBe(before);
  });
});
