// A server, agents and local services for generated conversations: one session or two, a pool, one that is inspected, one that is guarded.

import { Recorder } from "../../cli/inspector/recorder.ts";
import { adminApi } from "./admin-api.ts";
import { guardedTag, tags } from "./conversation-plan.ts";
import type { Stage } from "./conversations.ts";
import { startLocalService } from "./local-service.ts";
import { startServerProcess, type ServerProcess } from "./server-process.ts";
import { openTunnel, type TunnelAgentOptions } from "./tunnel-agent.ts";

export interface ConversationStage extends Stage, AsyncDisposable {
  readonly server: ServerProcess;
  /** Streams that are open, as the shards have reported. */
  streams(): Promise<number>;
}

/** How the server runs: its shards, and what becomes of connections that change host. */
export const conversationWays = {
  "1 shard": { SHARDS: "1" },
  "4 shards": { SHARDS: "4" },
  "4 shards, lent": { SHARDS: "4", LEND_AFTER_MOVES: "1" },
  "4 shards, piped": { SHARDS: "4", HANDOVER: "pipe" },
  "2 shards, piped and lent": { SHARDS: "2", HANDOVER: "pipe", LEND_AFTER_MOVES: "1" },
};

/** More keys than a short run asks with: the shards ask for each at first. */
const keyCount = 50;

/** `agents`: opens those of a tag, if not as usual. */
export async function startConversationStage(
  env: Record<string, string>,
  agents?: (options: TunnelAgentOptions & { name: string }) => Promise<AsyncDisposable | null>,
): Promise<ConversationStage> {
  const server = await startServerProcess({ env, faults: true });
  const api = adminApi(server);
  const orgId = await api.createOrganization("conversations");
  await api.setPolicy(await api.createApplication(orgId, guardedTag, "custom"), { authType: "api_key" });
  const ofOrganization = (await api.createKey({ orgId, scope: "tunnel" })).raw;
  const keys: string[] = [];
  while (keys.length < keyCount) keys.push((await api.createKey({ orgId, scope: "visitor" })).raw);
  const services = new Map(tags.map((tag) => [tag, startLocalService()]));
  const opened: AsyncDisposable[] = [];
  for (const [i, tag] of tags.entries()) {
    const { origin, token } = server;
    const options = {
      ...{ origin, port: services.get(tag)!.port, name: tag, connections: 1 + (i % 2), pool: tag === "dog" },
      token: tag === guardedTag ? ofOrganization : token,
      ...(tag === "cat" ? { recorder: new Recorder() } : {}),
    };
    for (let agent = 0; agent < (options.pool ? 2 : 1); agent++)
      opened.push((await agents?.(options)) ?? (await openTunnel(options)));
  }
  return {
    ...{ server, port: server.port, services, keys, isFaulty: false },
    async streams() {
      const headers = { host: "localhost", authorization: `Bearer ${server.token}` };
      const metrics = await (await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers })).text();
      return Number(/^\w*_streams (\d+)$/m.exec(metrics)?.[1]);
    },
    async [Symbol.asyncDispose]() {
      for (const agent of opened) await agent[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      for (const service of services.values()) service[Symbol.dispose]();
    },
  };
}
