// Traffic of the last hour, day or month as a chart: requests with errors, or bytes both ways.

import { createEffect, createSignal, type JSX } from "solid-js";
import { liveStats, pollWhileLost } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import type { TrafficPoint } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Chart, type Series } from "../../ui/chart.tsx";
import { Segmented } from "../../ui/choice.tsx";
import { formatBytes, formatCompact, formatCount } from "../../ui/format.ts";
import { Load } from "../../ui/load.tsx";
import { Card } from "../../ui/page.tsx";

type Shown = "requests" | "bytes";
const stepNames: Record<resources.TrafficRange, string> = {
  hour: "per minute, in your time zone",
  day: "per 15 minutes, in your time zone",
  month: "per day of UTC",
};

export default function TrafficCard(props: { app?: string; org?: string }): JSX.Element {
  const [range, setRange] = createSignal<resources.TrafficRange>("hour");
  const [shown, setShown] = createSignal<Shown>("requests");
  const traffic = useQuery(() => ({
    ...resources.traffic({ range: range(), app: props.app, org: props.org }),
    refetchInterval: pollWhileLost(range() === "hour" ? 15_000 : 60_000),
  }));
  // What passed is told by the stream; that time passes, too.
  createEffect(() => {
    const first = traffic.isPending ? undefined : traffic.data?.items[0];
    const second = first === undefined ? undefined : traffic.data?.items[1];
    if (first === undefined || second === undefined || liveStats() === null) return;
    const stepMs = Date.parse(second.time) - Date.parse(first.time);
    if (Date.now() - traffic.dataUpdatedAt >= stepMs && !traffic.isFetching) void traffic.refetch();
  });
  const series = (points: TrafficPoint[]): Series[] =>
    shown() === "requests"
      ? [
          { label: "Requests", color: "--chart-main", values: points.map((point) => point.requests) },
          { label: "Errors (5xx)", color: "--bad", values: points.map((point) => point.errors) },
        ]
      : [
          {
            label: "Received from visitors",
            color: "--chart-second",
            values: points.map((point) => point.bytesIn),
            tops: points.map((point) => point.bytesIn + point.bytesOut),
          },
          { label: "Sent to visitors", color: "--chart-main", values: points.map((point) => point.bytesOut) },
        ];
  return (
    <Card
      title="Traffic"
      lead={`${shown() === "requests" ? "Requests" : "Bytes"} ${stepNames[range()]}.`}
      actions={
        <>
          <Segmented
            label="What is shown"
            value={shown()}
            onValue={setShown}
            options={[
              { value: "requests", label: "Requests" },
              { value: "bytes", label: "Bytes" },
            ]}
          />
          <Segmented
            label="Time range"
            value={range()}
            onValue={setRange}
            options={[
              { value: "hour", label: "Hour" },
              { value: "day", label: "Day" },
              { value: "month", label: "Month" },
            ]}
          />
        </>
      }
    >
      <div class="chart-space">
        <Load query={traffic} lines={7}>
          {(page) => (
            <Chart
              label={`Traffic of the last ${range()}`}
              days={range() === "month"}
              timesMs={page().items.map((point) => Date.parse(point.time))}
              series={series(page().items)}
              format={shown() === "requests" ? formatCount : formatBytes}
              leastTop={shown() === "requests" ? 5 : 1024}
              formatAxis={shown() === "requests" ? formatCompact : formatBytes}
              binary={shown() === "bytes"}
              empty={`${shown() === "requests" ? "No request" : "Nothing sent or received"} in the last ${range()}`}
            />
          )}
        </Load>
      </div>
    </Card>
  );
}
