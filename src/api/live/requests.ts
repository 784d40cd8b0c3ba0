// The last requests of tunnels: asked of the shards that hold them, narrowed to what the caller may see.

import { AppError } from "../../lib/errors.ts";
import type { CapturedRequest } from "../../link/messages.ts";
import type { ShardLink } from "../../link/shard-link.ts";
import type { Keyset } from "../../db/keyset.ts";
import { toRequestView } from "../../observe/request-view.ts";
import { choiceOf, isChosen } from "../filters.ts";
import { parsePage, timeOf, toPage } from "../paging.ts";
import type { TunnelDirectory, TunnelSource } from "./directory.ts";

const newestFirst = { name: "-time", descending: true };

export interface RequestsQuery {
  limit?: number;
  cursor?: string;
  app?: string;
  tunnel?: string;
  org?: string;
  /** Only what began at this time or before. */
  to?: string;
}

type Place = Pick<CapturedRequest, "startedAtMs" | "id">;

export type Requests = ReturnType<typeof createRequests>;

export function createRequests(
  directory: TunnelDirectory,
  source: Pick<TunnelSource, "shardOfTunnel">,
  link: Pick<ShardLink, "requests">,
  options: { keptPerTunnel: number },
) {
  /** Asks every shard that has one of these tunnels. */
  async function ask(
    tunnelIds: readonly string[],
    query: { requestId?: string; before?: Place | null; limit: number },
  ): Promise<CapturedRequest[]> {
    const byShard = Map.groupBy(tunnelIds, (id) => source.shardOfTunnel(id));
    const answers = await Promise.all(
      [...byShard].map(([shard, ids]) =>
        shard === null ? [] : link.requests(shard, { requestId: null, before: null, ...query, tunnelIds: ids }),
      ),
    );
    // What a shard answers is narrowed once more: nothing of another tunnel may ever pass.
    const asked = new Set(tunnelIds);
    return answers.flat().filter((request) => asked.has(request.tunnelId));
  }

  return {
    async list(orgId: string | null, query: RequestsQuery) {
      const page = parsePage(query, newestFirst);
      const [org, app, tunnel] = [query.org, query.app, query.tunnel].map(choiceOf);
      const tunnelIds = directory
        .within(orgId)
        .filter((one) => isChosen(org, one.orgId) && isChosen(app, one.appId) && isChosen(tunnel, one.id))
        .map(({ id }) => id);
      const before = startOf(page.after, timeOf(query.to, "to"));
      const found = await ask(tunnelIds, { before, limit: page.limit + 1 });
      const sorted = found
        .filter((one) => before === null || compare(one, before) > 0)
        .sort(compare)
        .slice(0, page.limit + 1);
      const { rows, nextCursor } = toPage({ rows: sorted, end: null }, page, newestFirst, (one) => ({
        value: one.startedAtMs,
        id: one.id,
      }));
      return { requests: rows.map(toRequestView), nextCursor, ...options };
    },
    /** One request, while it is remembered. Throws `not_found`. */
    async get(orgId: string | null, requestId: string) {
      const tunnelIds = directory.within(orgId).map(({ id }) => id);
      const [request] = await ask(tunnelIds, { requestId, limit: 1 });
      if (request === undefined || request.id !== requestId) throw new AppError("not_found");
      return toRequestView(request);
    },
  };
}

/** Where a page begins: after the last row of the one before, or with what began at `toMs`, whichever is older. */
function startOf(after: Keyset["after"], toMs: number | null): Place | null {
  const places = [
    ...(after === null ? [] : [{ startedAtMs: Number(after.value), id: after.id }]),
    ...(toMs === null ? [] : [{ startedAtMs: toMs + 1, id: "" }]),
  ];
  return places.sort(compare).at(-1) ?? null;
}

/** Newest first. */
function compare(a: Place, b: Place): number {
  if (a.startedAtMs !== b.startedAtMs) return b.startedAtMs - a.startedAtMs;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}
