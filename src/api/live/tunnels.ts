// Live tunnels: lists, disconnecting, and asking whether the local service answers. All from memory.

import { findApplicationNames } from "../../db/applications.ts";
import { findOrganizationNames } from "../../db/organizations.ts";
import { findUsernames } from "../../db/totals.ts";
import { canonicalCidr, createCidrList } from "../../lib/cidr.ts";
import { AppError } from "../../lib/errors.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import type { Keyset } from "../../db/keyset.ts";
import { choiceOf, isChosen, passesWords, wordsOf } from "../filters.ts";
import { parsePage, parseSort, toPage, type Sort } from "../paging.ts";
import type { Scope } from "../scopes.ts";
import type { LiveTunnel } from "../tunnels/registry.ts";
import { isConnected, type TunnelDirectory, type TunnelSource } from "./directory.ts";
import { toLocalAnswer, toTunnelAnswer } from "./tunnel-model.ts";

const sorts = { openedAt: "openedAt", subdomain: "subdomain", requests: "requests" };

export interface TunnelsQuery {
  limit?: number;
  cursor?: string;
  sort?: string;
  q?: string;
  state?: string;
  app?: string;
  org?: string;
  from?: string;
}

export type LiveTunnelList = ReturnType<typeof createLiveTunnels>;

export function createLiveTunnels(
  deps: ApiDeps,
  directory: TunnelDirectory,
  source: Pick<TunnelSource, "check" | "clear">,
) {
  const { db } = deps;

  async function answersOf(tunnels: readonly LiveTunnel[]) {
    const ids = (of: (tunnel: LiveTunnel) => string | null) => [
      ...new Set(tunnels.map(of).filter((id): id is string => id !== null)),
    ];
    const names = {
      organizations: await findOrganizationNames(
        db.kysely,
        ids(({ orgId }) => orgId),
      ),
      applications: await findApplicationNames(
        db.kysely,
        ids(({ appId }) => appId),
      ),
      accounts: await findUsernames(
        db.kysely,
        ids(({ accountId }) => accountId),
      ),
    };
    return tunnels.map((tunnel) => toTunnelAnswer(tunnel, names));
  }

  function find(scope: Scope, id: string): LiveTunnel {
    const tunnel = directory.find(scope.orgId, id);
    if (tunnel === null) throw new AppError("not_found");
    return tunnel;
  }

  function noteOrder(scope: Scope, action: string, { id, name, orgId, appId }: LiveTunnel): Promise<void> {
    const change = { ...changeBy(scope.caller, scope.request), action, orgId, appId, details: { tunnel: id, name } };
    return db.transaction((trx) => deps.audit.within(trx, change));
  }

  return {
    async list(orgId: string | null, query: TunnelsQuery) {
      const sort = parseSort(query.sort, sorts, "-openedAt");
      const page = parsePage(query, sort);
      const words = wordsOf(query.q);
      const [org, app, state] = [query.org, query.app, query.state].map(choiceOf);
      const isFrom = rangeFilter(query.from);
      const matching = directory
        .within(orgId)
        .filter(
          (tunnel) =>
            isChosen(org, tunnel.orgId) &&
            isChosen(app, tunnel.appId) &&
            isChosen(state, isConnected(tunnel) ? "connected" : "offline") &&
            isFrom(tunnel) &&
            passesWords(words, (word) => searchedText(tunnel).includes(word)),
        );
      const found = { rows: cut(matching, page, sort), end: null };
      const { rows, nextCursor } = toPage(found, page, sort, (tunnel) => ({
        value: sortValue(tunnel, sort),
        id: tunnel.id,
      }));
      return { tunnels: await answersOf(rows), nextCursor };
    },
    /** Closes the sessions of a tunnel; its agents are told why. */
    async disconnect(scope: Scope, id: string): Promise<void> {
      await noteOrder(scope, "tunnel.disconnect_ordered", find(scope, id));
      await deps.tunnels.disconnect({ tunnelId: id }, "disconnected_by_admin");
    },
    /** Takes a tunnel that is offline out of the lists, and gives up its name if it was still leased. */
    async clear(scope: Scope, id: string): Promise<void> {
      const tunnel = find(scope, id);
      const isServed = new AppError("conflict", "An agent is connected, or about to be. Disconnect it first.");
      if (isConnected(tunnel)) throw isServed;
      await noteOrder(scope, "tunnel.cleared", tunnel);
      // An agent may have come back meanwhile.
      if (!source.clear(id)) throw isServed;
    },
    /** Asks the agent to try its local service now. */
    async check(scope: Scope, id: string) {
      const { local } = find(scope, id);
      return toLocalAnswer((await source.check(id)) ?? local);
    },
  };
}

/** What `q` looks through. */
function searchedText({ name, target, agents, lastAgent }: LiveTunnel): string {
  const ofAgents = agents.flatMap((agent) => [agent.address, agent.target ?? ""]);
  return [name, target ?? "", lastAgent?.address ?? "", ...ofAgents].join(" ").toLowerCase();
}

/** The part of the list that a page asks for, and one more; the same order as a database would give. */
function cut(tunnels: LiveTunnel[], page: Keyset, sort: Sort): LiveTunnel[] {
  const sign = page.descending ? -1 : 1;
  const keyed = tunnels.map((tunnel) => ({ tunnel, value: sortValue(tunnel, sort), id: tunnel.id }));
  const { after } = page;
  const rest = after === null ? keyed : keyed.filter((one) => compare(one, after) * sign > 0);
  return rest
    .sort((a, b) => compare(a, b) * sign)
    .slice(0, page.limit + 1)
    .map(({ tunnel }) => tunnel);
}

function compare(a: { value: string | number; id: string }, b: { value: string | number; id: string }): number {
  if (a.value !== b.value) return a.value < b.value ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function sortValue(tunnel: LiveTunnel, sort: Sort): string | number {
  if (sort.column === sorts.subdomain) return tunnel.name;
  return sort.column === sorts.requests ? tunnel.totals.requests : (tunnel.openedAtMs ?? 0);
}

/** Whether an agent is connected from within the range. Throws `validation`. */
function rangeFilter(range: string | undefined): (tunnel: LiveTunnel) => boolean {
  if (range === undefined) return () => true;
  const cidr = canonicalCidr(range.trim());
  if (cidr === null)
    throw new AppError("validation", "from must be an IPv4 or IPv6 address or range.", { field: "from" });
  const list = createCidrList([cidr]);
  return ({ agents }) => agents.some(({ address }) => list.matches(address));
}
