// Everything a contract needs, running: server, agents, local service; and the suite declared once per way to run them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { adminApi } from "./admin-api.ts";
import { eventually } from "./eventually.ts";
import { type LocalService, startLocalService } from "./local-service.ts";
import { RawClient, type RawResponse, type ResponseOptions } from "./raw-client.ts";
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

/** What asks for a WebSocket. */
export const upgradeLines = [
  "Connection: keep-alive, Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];

const host = "demo.localhost";
const lends = "LEND_AFTER_MOVES";

/** Starts server, two local services and their agents. */
async function startParties(env: ServerEnv = {}): Promise<Parties> {
  const server = await startTestServer(env);
  const [service, otherService] = [startLocalService(), startLocalService()];
  const [agent, otherAgent] = await Promise.all([
    startTestAgent({ server, subdomain: "demo", localPort: service.port }),
    // "demo" and "other" belong to different shards of two and of four.
    startTestAgent({ server, subdomain: "other", localPort: otherService.port, connections: 1 }),
  ]);
  const open = async (localAddress?: string): Promise<RawClient> => {
    const client = await RawClient.open({
      port: server.port,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    if (env[lends] === undefined) return client;
    // From now on the connection belongs to the other tunnel's shard, which lends what is asked of the first.
    const answer = client.response();
    await client.send(requestBytes("other.localhost", "/hello"));
    await answer;
    return client;
  };
  return {
    server,
    agent,
    service,
    other: { host: "other.localhost", service: otherService, agent: otherAgent },
    host,
    open,
    async ask(target, options = {}) {
      using client = await open();
      const answer = client.response(options.method === "HEAD" ? { toHead: true, ...options } : options);
      await client.send(requestBytes(host, target, options));
      // Awaited here, or `using` would close the connection first.
      return await answer;
    },
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
export function describeContract(
  name: string,
  env: ServerEnv,
  body: (parties: () => Parties) => void,
  ways = setups,
): void {
  describe.each(Object.entries(ways))(`${name}: %s`, (_, setup) => {
    let parties: Parties | null = null;
    beforeAll(async () => {
      parties = await startParties({ ...setup, ...env });
    });
    afterAll(() => parties?.[Symbol.asyncDispose]());
    body(() => parties!);
    test("nothing malformed reached the local services", () => {
      expect([...parties!.service.problems, ...parties!.other.service.problems]).toEqual([]);
    });
    test("no stream is left of what has ended, one way or the other", async () => {
      const { server, other } = parties!;
      const streams = async (): Promise<number> => {
        const { tunnels } = await adminApi(server).must("GET", "/admin/tunnels");
        return (tunnels as { streams: number }[]).reduce((sum, one) => sum + one.streams, 0);
      };
      // Shards tell about once a second how many there are: these, and with them whatever is left.
      const held = await Promise.all([RawClient.open(server), RawClient.open(server)]);
      for (const [i, name] of [host, other.host].entries()) {
        await held[i]!.send(requestBytes(name, "/raw/held", { lines: upgradeLines }));
        expect((await held[i]!.response()).status).toBe(101);
      }
      await eventually(async () => (await streams()) >= 2, "both are told");
      for (const client of held) client[Symbol.dispose]();
      await eventually(async () => (await streams()) === 0, "none is left");
    });
  });
}

export interface Application {
  /** Where visitors find it; for a TCP tunnel only the port counts. */
  url: string;
  server: TestServer;
}

export interface ApplicationOptions {
  /** Its name below the base domain. */
  name: string;
  /** Where it listens, asked once per setup. It may serve all of them. */
  localPort(): number | Promise<number>;
  env?: ServerEnv;
  /** Listed ports make it a TCP tunnel. */
  tcpPorts?: readonly number[];
}

/** Declares `body` once per setup, each with a server and an agent in front of the application. */
export function describeApplication(options: ApplicationOptions, body: (application: () => Application) => void): void {
  const { name, localPort, env = {}, tcpPorts } = options;
  const isTcp = tcpPorts !== undefined;
  describeContract(name, isTcp ? { ...env, TCP_PORTS: tcpPorts.join(",") } : env, (parties) => {
    let agent: TestAgent | null = null;
    let application: Application | null = null;
    beforeAll(async () => {
      const { server } = parties();
      const spec = isTcp ? { protocol: "tcp" as const, subdomain: null } : {};
      agent = await startTestAgent({ server, subdomain: name, localPort: await localPort(), spec });
      const { port } = agent.of("tunnel.ready")[0]!;
      application = { server, url: isTcp ? `tcp://localhost:${port}` : `http://${name}.localhost:${server.port}` };
    });
    afterAll(() => agent?.[Symbol.asyncDispose]());
    body(() => application!);
  });
}

/** `describeContract`, and once more with requests whose connection another shard holds (workers/lender.ts): those of `open` and `ask` are such then. */
export function describeContractAndLent(name: string, env: ServerEnv, body: (parties: () => Parties) => void): void {
  describeContract(name, env, body, { ...setups, "2 shards, lent": { SHARDS: "2", [lends]: "1" } });
}
