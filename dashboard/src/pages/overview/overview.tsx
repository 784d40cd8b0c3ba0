// The overview: what is live now, traffic over time, the busiest tunnels, who was refused.

import { createSignal, lazy, Match, Show, Suspense, Switch, type JSX } from "solid-js";
import { listen } from "../../api/live.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin, me, portal, serverUrl } from "../../api/session.ts";
import type { Stats } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { LinkButton } from "../../ui/button.tsx";
import { Command } from "../../ui/copy.tsx";
import { formatBytes, formatCompact, formatCount } from "../../ui/format.ts";
import { Empty } from "../../ui/note.tsx";
import { Card, Page, Stat } from "../../ui/page.tsx";
import { Spark } from "../../ui/spark.tsx";
import { Bar } from "../../ui/table.tsx";
import { TopTunnels } from "./top-tunnels.tsx";
import { RecentRefusals } from "./refusals.tsx";

// The chart's library comes after the numbers.
const TrafficCard = lazy(() => import("./traffic-card.tsx"));

/** Of the line beside the rate of requests. */
const secondsShown = 60;

/** What the event stream sends each second. */
interface LiveNumbers {
  activeTunnels?: number;
  requestsPerSecond?: number;
  bytesPerSecond?: number;
}

export default function Overview(): JSX.Element {
  return (
    <Switch>
      <Match when={portal() === "none"}>
        <WithoutOrganization />
      </Match>
      <Match when={true}>
        <Live />
      </Match>
    </Switch>
  );
}

function Live(): JSX.Element {
  const stats = useQuery(() => ({ ...resources.stats(), refetchInterval: 15_000 }));
  const [live, setLive] = createSignal<LiveNumbers>({});
  const [lately, setLately] = createSignal<number[]>([]);
  listen((event) => {
    if (event.type !== "stats") return;
    const numbers = event.data as LiveNumbers;
    setLive(numbers);
    setLately((before) => [...before, numbers.requestsPerSecond ?? 0].slice(-secondsShown));
  });
  const known = (): Partial<Stats> => (stats.isPending ? {} : (stats.data ?? {}));
  const number = (value: number | undefined, format: (value: number) => string) => (
    <Show when={value !== undefined} fallback={stats.isPending ? <Bar width="4rem" /> : "–"}>
      {format(value ?? 0)}
    </Show>
  );
  const activeTunnels = () => live().activeTunnels ?? known().activeTunnels;

  return (
    <Page
      title="Overview"
      lead={
        isAdmin()
          ? "Everything on this server, live."
          : `Everything of ${me()?.organization?.name ?? "your organization"}, live.`
      }
    >
      <dl class="stats">
        <Stat name="Tunnels connected" value={number(activeTunnels(), formatCount)} note="with a live session" />
        <Stat
          name="Requests per second"
          value={live().requestsPerSecond === undefined ? "–" : formatCompact(live().requestsPerSecond ?? 0)}
          note={live().bytesPerSecond === undefined ? "now" : `${formatBytes(live().bytesPerSecond ?? 0)}/s`}
        >
          <Spark values={lately()} slots={secondsShown} />
        </Stat>
        <Stat name="Sent to visitors" value={number(known().totalBytesSent, formatBytes)} note="in all" />
        <Stat name="Received from visitors" value={number(known().totalBytesReceived, formatBytes)} note="in all" />
        <Stat
          name="Accounts"
          value={number(known().activeAccounts, formatCount)}
          note={
            known().totalAccounts === undefined ? "active" : `active, of ${formatCount(known().totalAccounts ?? 0)}`
          }
        />
      </dl>
      <Show when={known().totalTunnels === 0 && activeTunnels() === 0}>
        <Card
          title="Open your first tunnel"
          lead="Run this beside something that listens on port 3000. The agent's address must be on a whitelist."
        >
          <Command text={`digit-link http 3000 --server ${serverUrl()}`} />
        </Card>
      </Show>
      <Suspense fallback={<ChartPlaceholder />}>
        <TrafficCard />
      </Suspense>
      <div class="grid-2">
        <TopTunnels />
        <RecentRefusals />
      </div>
    </Page>
  );
}

function ChartPlaceholder(): JSX.Element {
  return (
    <Card title="Traffic">
      <div class="chart-space" role="status" aria-label="Loading the chart" />
    </Card>
  );
}

/** An account that is in no organization: what it can do, and who can change that. */
function WithoutOrganization(): JSX.Element {
  return (
    <Page title={`Hello, ${me()?.account.username ?? ""}`}>
      <Empty
        icon="building"
        title="You are in no organization yet"
        text="You can open tunnels under names of your own. To see applications, policies and traffic here, ask an administrator to put your account into an organization."
      >
        <LinkButton href="/dashboard/me" kind="primary">
          My account
        </LinkButton>
      </Empty>
    </Page>
  );
}
