// A server of agents that a test plays: it answers registrations and upgrades as it is told, and writes the frames of its sessions.

import { startAgent } from "../../cli/agent/agent.ts";
import type { AgentEvent } from "../../cli/agent/types.ts";
import { FIN, initialWindowBytes, OPEN, REGISTERED, writeU32 } from "../../src/protocol/frames.ts";
import { Outbox } from "../../src/protocol/outbox.ts";
import { readFrames } from "./read-frames.ts";

/** `refuse` answers the upgrade of the n-th session, from 1; undefined lets it in. The n-th registration is answered after `wait(n)`, and by it if it resolves to an answer. */
export function startPickyServer(
  refuse: (session: number) => Response | undefined | Promise<Response | undefined> = () => undefined,
  wait: (registration: number) => Promise<void | Response> = async () => {},
) {
  let sessions = 0;
  const open = new Set<Bun.ServerWebSocket<undefined>>();
  const asked = { registrations: 0, atOnce: 0, mostAtOnce: 0 };
  const wanted: (number | undefined)[] = [];
  const generations: number[] = [];
  const bodies: object[] = [];
  const heard: { type: number; stream: number }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, self) {
      if (new URL(request.url).pathname !== "/_tunnel/register") {
        const refusal = await refuse(++sessions);
        if (refusal !== undefined) return refusal;
        const headers = { "Sec-WebSocket-Protocol": "digit-link.v1" };
        return self.upgrade(request, { headers }) ? undefined : new Response();
      }
      asked.registrations++;
      asked.mostAtOnce = Math.max(asked.mostAtOnce, ++asked.atOnce);
      const body = (await request.json()) as { subdomain: string; generation: number; connections?: number };
      generations.push(body.generation);
      bodies.push(body);
      const instead = await wait(asked.registrations);
      asked.atOnce--;
      if (instead instanceof Response) return instead;
      wanted.push(body.connections);
      const { subdomain, connections = 3 } = body;
      if (subdomain.startsWith("taken"))
        return Response.json(
          { error: { code: "name_taken", message: `${subdomain} is taken.`, retryable: false } },
          { status: 409 },
        );
      const session = { path: "/_tunnel/s/0", connections };
      const tickets = Array.from({ length: connections }, (_, i) => `ticket-${i}`);
      return Response.json({ subdomain, url: `http://${subdomain}`, tunnelId: "t", tickets, session });
    },
    websocket: {
      open: (ws) => {
        open.add(ws);
        outboxOf(ws).session(REGISTERED, { protocol: 1, tunnelId: "t" });
      },
      message: (_ws, message) =>
        readFrames(message as Buffer, { frame: (type, _flags, stream) => void heard.push({ type, stream }) }),
    },
  });
  const hangUp = (): void => open.forEach((ws) => ws.terminate());
  const origin = `http://127.0.0.1:${server.port}`;
  const facts = { asked, wanted, generations, bodies, open, heard };
  return { ...facts, server: origin, hangUp, [Symbol.asyncDispose]: () => server.stop(true) };
}

/** What is sent in it goes to the agent of `ws`. */
export function outboxOf(ws: Bun.ServerWebSocket<undefined>): Outbox {
  return new Outbox({ send: (bytes, start, end) => void ws.sendBinary(bytes.subarray(start, end)) });
}

/** A visitor asks the agent of `ws` for `/`, by a stream of its own. */
export function visitAgent(ws: Bun.ServerWebSocket<undefined>, stream: number): void {
  const payload = Buffer.from("########GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  writeU32(payload, 0, initialWindowBytes);
  writeU32(payload, 4, 0);
  outboxOf(ws).frame(OPEN, FIN, stream, payload, 0, payload.length);
}

/** An agent of a tunnel per name, all to `localPort`, where usually nothing listens, and what it tells. */
export function startNamed(
  server: string,
  names: string[],
  connections: number | null = 1,
  localPort = 9,
  onEvent: (event: AgentEvent) => void = () => {},
) {
  const events: AgentEvent[] = [];
  const local = { localHost: "127.0.0.1", localPort, localHttps: false, insecureLocal: false };
  const agent = startAgent({
    ...{ server, token: "token", connections, pool: false, version: "1.0.0", agentId: "test" },
    tunnels: names.map((subdomain) => ({ protocol: "http", subdomain, hostHeader: "preserve", ...local })),
    onEvent(event) {
      events.push(event);
      onEvent(event);
    },
  });
  return { agent, events };
}
