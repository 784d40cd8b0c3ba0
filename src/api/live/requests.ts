// The last requests of tunnels: asked of the shards that hold them, narrowed to what the caller may see.

import { AppError } from "../../lib/errors.ts";
import type { CapturedRequest } from "../../link/messages.ts";
import { comparePlaces, orderValue, type RequestOrder, type RequestsQuery } from "../../link/requests-query.ts";
import type { ShardLink } from "../../link/shard-link.ts";
import { toRequestView } from "../../observe/request-view.ts";
import { choiceOf, isChosen } from "../filters.ts";
import { parsePage, parseSort, timeOf, toPage } from "../paging.ts";
import type { TunnelDirectory, TunnelSource } from "./directory.ts";
import { parseSearch, termOf } from "./request-filter.ts";

const sorts: Record<RequestOrder, RequestOrder> = {
  time: "time",
  status: "status",
  duration: "duration",
  size: "size",
};

export interface RequestsListQuery {
  limit?: number;
  cursor?: string;
  sort?: string;
  q?: string;
  status?: string;
  method?: string;
  app?: string;
  tunnel?: string;
  org?: string;
  /** Only what began at this time or before. */
  to?: string;
}

export type Requests = ReturnType<typeof createRequests>;

export function createRequests(
  directory: TunnelDirectory,
  source: Pick<TunnelSource, "shardOfTunnel">,
  link: Pick<ShardLink, "requests">,
  options: { keptPerTunnel: number },
) {
  /** Asks every shard that has one of these tunnels. Throws `unavailable` when one does not answer: a list that lacks its requests would look whole. */
  async function ask(
    tunnelIds: readonly string[],
    query: Omit<RequestsQuery, "tunnelIds">,
  ): Promise<CapturedRequest[]> {
    const byShard = Map.groupBy(tunnelIds, (id) => source.shardOfTunnel(id));
    const answers = await Promise.all(
      [...byShard].map(([shard, ids]) => (shard === null ? [] : link.requests(shard, { ...query, tunnelIds: ids }))),
    );
    if (answers.includes(null))
      throw new AppError("unavailable", "A part of the server does not answer at the moment. Try again.", {
        retryAfterMs: 1_000,
      });
    // What a shard answers is narrowed once more: nothing of another tunnel may ever pass.
    const asked = new Set(tunnelIds);
    return answers.flatMap((one) => one ?? []).filter((request) => asked.has(request.tunnelId));
  }

  return {
    async list(orgId: string | null, query: RequestsListQuery) {
      const sort = parseSort(query.sort, sorts, "-time");
      const page = parsePage(query, sort);
      const order = sort.column as RequestOrder;
      const { descending } = sort;
      const after = page.after === null ? null : { value: Number(page.after.value), id: page.after.id };
      const [org, app, tunnel] = [query.org, query.app, query.tunnel].map(choiceOf);
      const to = timeOf(query.to, "to");
      const terms = [
        ...(to === null ? [] : [{ field: "time" as const, min: 0, max: to, not: false }]),
        ...termOf("status", query.status),
        ...termOf("method", query.method),
        ...parseSearch(query.q),
      ];
      const tunnelIds = directory
        .within(orgId)
        .filter((one) => isChosen(org, one.orgId) && isChosen(app, one.appId) && isChosen(tunnel, one.id))
        .map(({ id }) => id);
      const limit = page.limit + 1;
      const found = await ask(tunnelIds, { requestId: null, terms, order, descending, after, limit });
      const placeOf = (one: CapturedRequest) => ({ value: orderValue(order, one), id: one.id });
      const compare = comparePlaces(descending);
      const sorted = found
        .filter((one) => after === null || compare(placeOf(one), after) > 0)
        .sort((a, b) => compare(placeOf(a), placeOf(b)))
        .slice(0, limit);
      const { rows, nextCursor } = toPage({ rows: sorted, end: null }, page, sort, placeOf);
      return { requests: rows.map(toRequestView), nextCursor, ...options };
    },
    /** One request, while it is remembered. Throws `not_found`. */
    async get(orgId: string | null, requestId: string) {
      const tunnelIds = directory.within(orgId).map(({ id }) => id);
      const anyOrder = { order: "time", descending: true, after: null } as const;
      const [request] = await ask(tunnelIds, { ...anyOrder, requestId, terms: [], limit: 1 });
      if (request === undefined || request.id !== requestId) throw new AppError("not_found");
      return toRequestView(request);
    },
  };
}
