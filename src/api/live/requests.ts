// The last requests of tunnels: asked of the shards that hold them, narrowed to what the caller may see.

import { AppError } from "../../lib/errors.ts";
import type { CapturedRequest } from "../../link/messages.ts";
import type { ShardLink } from "../../link/shard-link.ts";
import { toRequestView } from "../../observe/request-view.ts";
import { parsePage, toPage } from "../paging.ts";
import type { TunnelDirectory, TunnelSource } from "./directory.ts";

const newestFirst = { name: "-time", descending: true };
/** How far back pages reach; shards know only "the newest so many". */
const mostAsked = 2_000;

export interface RequestsQuery {
  limit?: number;
  cursor?: string;
  app?: string;
  tunnel?: string;
  org?: string;
}

export type Requests = ReturnType<typeof createRequests>;

export function createRequests(
  directory: TunnelDirectory,
  source: Pick<TunnelSource, "shardOfTunnel">,
  link: Pick<ShardLink, "requests">,
) {
  /** Asks every shard that has one of these tunnels. */
  async function ask(
    tunnelIds: readonly string[],
    requestId: string | null,
    limit: number,
  ): Promise<CapturedRequest[]> {
    const byShard = Map.groupBy(tunnelIds, (id) => source.shardOfTunnel(id));
    const answers = await Promise.all(
      [...byShard].map(([shard, ids]) =>
        shard === null ? [] : link.requests(shard, { tunnelIds: ids, requestId, limit }),
      ),
    );
    // What a shard answers is narrowed once more: nothing of another tunnel may ever pass.
    const asked = new Set(tunnelIds);
    return answers.flat().filter((request) => asked.has(request.tunnelId));
  }

  return {
    async list(orgId: string | null, query: RequestsQuery) {
      const page = parsePage(query, newestFirst);
      const tunnelIds = directory
        .within(orgId)
        .filter(
          (tunnel) =>
            (query.org === undefined || tunnel.orgId === query.org) &&
            (query.app === undefined || tunnel.appId === query.app) &&
            (query.tunnel === undefined || tunnel.id === query.tunnel),
        )
        .map(({ id }) => id);
      const { after } = page;
      const found = await ask(tunnelIds, null, after === null ? page.limit + 1 : mostAsked);
      const sorted = found
        .filter((one) => after === null || compare(one, { startedAtMs: Number(after.value), id: after.id }) > 0)
        .sort(compare)
        .slice(0, page.limit + 1);
      const { rows, nextCursor } = toPage(sorted, page, newestFirst, (one) => ({ value: one.startedAtMs, id: one.id }));
      return { requests: rows.map(toRequestView), nextCursor };
    },
    /** One request, while it is remembered. Throws `not_found`. */
    async get(orgId: string | null, requestId: string) {
      const tunnelIds = directory.within(orgId).map(({ id }) => id);
      const [request] = await ask(tunnelIds, requestId, 1);
      if (request === undefined || request.id !== requestId) throw new AppError("not_found");
      return toRequestView(request);
    },
  };
}

/** Newest first. */
function compare(
  a: Pick<CapturedRequest, "startedAtMs" | "id">,
  b: Pick<CapturedRequest, "startedAtMs" | "id">,
): number {
  if (a.startedAtMs !== b.startedAtMs) return b.startedAtMs - a.startedAtMs;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}
