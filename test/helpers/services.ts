// Everything a contract needs, running: server, agents, local service; and the suite declared once per way to run them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type LocalService, startLocalService } from "./local-service.ts";
import { RawClient, type RawResponse, requestOnce, type ResponseOptions } from "./raw-client.ts";
import { type ServerEnv, startTestServer, type TestServer } from "./server.ts";
import { startTestAgent, type TestAgent } from "./agent.ts";

export interface Parties extends AsyncDisposable {
  server: TestServer;
  agent: TestAgent;
  /** Behind `demo.localhost`. */
  service: LocalService;
  /** A second tunnel, on another shard when there are several. */
  other: { host: string; service: LocalService; agent: TestAgent };
  host: string;
  /** Opens a visitor's connection. */
  open(localAddress?: string): Promise<RawClient>;
  /** One request on a connection of its own. */
  ask(target: string, options?: AskOptions): Promise<RawResponse>;
}

export interface AskOptions extends ResponseOptions {
  method?: string;
  /** Header lines besides Host, without CRLF. */
  lines?: readonly string[];
  /** Latin1; sent as it is behind the head. */
  body?: string;
  host?: string;
}

/** A request as bytes (latin1). `lines` come behind Host. */
export function requestBytes(host: string, target: string, options: AskOptions = {}): string {
  const { method = "GET", lines = [], body = "" } = options;
  return `${[`${method} ${target} HTTP/1.1`, `Host: ${options.host ?? host}`, ...lines].join("\r\n")}\r\n\r\n${body}`;
}

const host = "demo.localhost";

/** Starts server, two local services and their agents. */
async function startParties(env: ServerEnv = {}): Promise<Parties> {
  const server = await startTestServer(env);
  const [service, otherService] = [startLocalService(), startLocalService()];
  const [agent, otherAgent] = await Promise.all([
    startTestAgent({ server, subdomain: "demo", localPort: service.port }),
    // "demo" and "other" belong to different shards of two and of four.
    startTestAgent({ server, subdomain: "other", localPort: otherService.port, connections: 1 }),
  ]);
  return {
    server,
    agent,
    service,
    other: { host: "other.localhost", service: otherService, agent: otherAgent },
    host,
    open: (localAddress) =>
      RawClient.open({ port: server.port, ...(localAddress === undefined ? {} : { localAddress }) }),
    ask: (target, options = {}) =>
      requestOnce(
        server,
        requestBytes(host, target, options),
        options.method === "HEAD" ? { toHead: true, ...options } : options,
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([agent[Symbol.asyncDispose](), otherAgent[Symbol.asyncDispose]()]);
      await server[Symbol.asyncDispose]();
      service[Symbol.dispose]();
      otherService[Symbol.dispose]();
    },
  };
}

/** The ways in which the contract must hold. */
export const setups: Record<string, ServerEnv> = {
  "1 shard": { SHARDS: "1" },
  "4 shards": { SHARDS: "4" },
  "2 shards, piped": { SHARDS: "2", HANDOVER: "pipe" },
};

/** Declares `body` once per setup. `parties()` is for use inside tests. */
export function describeContract(name: string, env: ServerEnv, body: (parties: () => Parties) => void): void {
  describe.each(Object.entries(setups))(`${name}: %s`, (_, setup) => {
    let parties: Parties | null = null;
    beforeAll(async () => {
      parties = await startParties({ ...setup, ...env });
    });
    afterAll(() => parties?.[Symbol.asyncDispose]());
    body(() => parties!);
    test("nothing malformed reached the local services", () => {
      expect([...parties!.service.problems, ...parties!.other.service.problems]).toEqual([]);
    });
  });
}
