// One tunnel of an agent whose sessions are on paper, and whose registrations nobody ever answers.

import { jest } from "bun:test";
import type { Refusal } from "../../cli/agent/refusal.ts";
import type { AgentSession } from "../../cli/agent/session.ts";
import { TunnelClient } from "../../cli/agent/tunnel-client.ts";
import type { AgentEvent, AgentOptions, TunnelSpec } from "../../cli/agent/types.ts";

/** A tunnel with so many sessions that stand. `asked`: how often it has asked for more; `isAskedAfter` is for fake timers. */
export function tunnelWith(count: number, more: Partial<AgentOptions & TunnelSpec> = {}) {
  const events: AgentEvent[] = [];
  const notices: string[] = [];
  let asked = 0;
  const tunnel = { protocol: "http", subdomain: "web", localHost: "127.0.0.1", localPort: 9 } as const;
  const spec = { ...tunnel, localHttps: false, insecureLocal: false, hostHeader: "preserve", ...more };
  const server = { server: "http://127.0.0.1:9", token: "token", connections: count, pool: false, version: "1.0.0" };
  const client: TunnelClient = new TunnelClient(
    { ...server, ...more, tunnels: [spec], onEvent: (event) => void events.push(event) },
    spec,
    { agentId: "test", nextGeneration: () => 1 },
    () => {
      asked++;
      return new Promise(() => {});
    },
    (message) => void notices.push(message),
  );
  asked = 0;
  client["working"] = false;
  const url = "http://web";
  const granted = { subdomain: "web", url, tunnelId: "t", port: null, tickets: [], sessionPath: "/_tunnel/s/0" };
  client["registration"] = granted;
  client["wanted"] = count;
  const did: string[] = [];
  const sessions = Array.from({ length: count }, (_, i) => {
    const close = (...how: unknown[]) => void did.push(`close ${i} ${how.join(" ")}`);
    return {
      isReady: true,
      leave: (ms: number) => void did.push(`leave ${i} ${ms}`),
      close,
    } as unknown as AgentSession;
  });
  for (const session of sessions) client["sessions"].add(session);
  client.ready();
  const lose = (session = sessions[0]!, refusal: Refusal | null = null) =>
    client.closed(session, 1006, "lost", refusal);
  /** Whether it is first asked for another after so many milliseconds. */
  const isAskedAfter = (ms: number): boolean => {
    const before = asked;
    jest.advanceTimersByTime(ms - 1);
    const isLate = asked === before;
    jest.advanceTimersByTime(1);
    return isLate && asked === before + 1;
  };
  const told = () => events.splice(0).map(({ event }) => event);
  return { client, events, notices, sessions, did, lose, isAskedAfter, told, asked: () => asked };
}
