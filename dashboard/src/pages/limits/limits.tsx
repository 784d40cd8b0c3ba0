// The limits of an organization: its own limiter, and what the server's settings allow it beside what is in use now.

import { For, Show, type JSX } from "solid-js";
import { atMostEvery, pollWhileLost } from "../../api/live-data.ts";
import { listen } from "../../api/live.ts";
import * as resources from "../../api/resources.ts";
import { canManage } from "../../api/session.ts";
import type { Limit, TunnelStats } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { formatCount } from "../../ui/format.ts";
import { Load } from "../../ui/load.tsx";
import { Card, Page } from "../../ui/page.tsx";
import { LimiterCard } from "./limiter-card.tsx";

/** The page of the caller's own organization. */
export default function OrgLimits(): JSX.Element {
  return (
    <Page title="Limits" lead="What your organization may use of this server, and when visitors are locked out." narrow>
      <Limits owner="" mayChange={canManage()} />
    </Page>
  );
}

/** `owner`: `/organizations/ID`, or empty for the caller's own. */
export function Limits(props: { owner: string; mayChange: boolean }): JSX.Element {
  return (
    <>
      <AllowedCard owner={props.owner} />
      <LimiterCard owner={props.owner} mayChange={props.mayChange} />
    </>
  );
}

const words: Record<Limit["name"], { what: string; used: string }> = {
  tunnels: { what: "Tunnels", used: "open now" },
  tunnelsPerCredential: { what: "Tunnels of one account or API key", used: "by the busiest" },
  agentsPerTunnel: { what: "Agents of one tunnel (--pool)", used: "on the fullest" },
  sessionsPerAgent: { what: "Sessions of one agent for one tunnel", used: "by the busiest" },
  requests: { what: "Requests in flight of all tunnels", used: "now" },
  requestsPerTunnel: { what: "Requests in flight of one tunnel", used: "on the fullest" },
  requestsPerSession: { what: "Requests in flight of one session", used: "" },
};

const fetchesMs = 3_000;
const fetchLimits = atMostEvery(fetchesMs, "limits");
/** Events after which more or less may be in use. */
const tells: ReadonlySet<string> = new Set(["connected", "gap", "tunnel.opened", "tunnel.closed", "tunnel.cleared"]);

/** Notes what of connected tunnels counts against a limit, and whether that is other than before. */
function note(counted: Map<string, string>, tunnels: readonly TunnelStats[]): boolean {
  let isOther = false;
  for (const { id, connected, sessions, agents, streams } of tunnels) {
    const now = [sessions, agents.length, streams].join(" ");
    if (counted.get(id) === (connected ? now : undefined)) continue;
    isOther = true;
    if (connected) counted.set(id, now);
    else counted.delete(id);
  }
  return isOther;
}

function AllowedCard(props: { owner: string }): JSX.Element {
  const query = useQuery(() => ({ ...resources.limits(props.owner), refetchInterval: pollWhileLost(fetchesMs) }));
  const counted = new Map<string, string>();
  listen(({ type, data }) => {
    if (tells.has(type)) {
      // Of what has gone for good nothing more is told.
      counted.clear();
      fetchLimits();
    } else if (type === "tunnel.stats" && note(counted, (data as { tunnels: TunnelStats[] }).tunnels)) fetchLimits();
  });
  return (
    <Card
      title="In use"
      lead="Set by whoever runs this server, the same for every organization. Beyond a limit tunnels and requests are refused."
    >
      <Load query={query} lines={7}>
        {(limits) => (
          <div class="table-wrap">
            <table class="table table-cards table-pairs" aria-label="Limits in force">
              <thead>
                <tr>
                  <th scope="col">Limit</th>
                  <th scope="col" class="align-end">
                    In use
                  </th>
                  <th scope="col" class="align-end">
                    Allowed
                  </th>
                  <th scope="col">Comes from</th>
                </tr>
              </thead>
              <tbody>
                <For each={limits()}>{(limit) => <Row limit={limit} />}</For>
              </tbody>
            </table>
          </div>
        )}
      </Load>
    </Card>
  );
}

function Row(props: { limit: Limit }): JSX.Element {
  return (
    <tr>
      <td data-label="Limit" class="wide">
        <span class="cell-title">{words[props.limit.name].what}</span>
      </td>
      <td data-label="In use" class="align-end num">
        <Show when={props.limit.used !== null} fallback={<span class="muted">not counted</span>}>
          {formatCount(props.limit.used ?? 0)} <span class="muted">{words[props.limit.name].used}</span>
        </Show>
      </td>
      <td data-label="Allowed" class="align-end num">
        {formatCount(props.limit.allowed)}
      </td>
      <td data-label="Comes from" class="wide">
        <code>{props.limit.setting}</code>
      </td>
    </tr>
  );
}
