// A chart over time: axes with units, legend, hover, and the same numbers as a table for who can't see it.

import { createEffect, createMemo, createSignal, For, onCleanup, onMount, Show, type JSX } from "solid-js";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatAbsolute, formatDate, formatDay, formatMinute } from "./format.ts";
import { accent, scheme } from "./theme.ts";

export interface Series {
  label: string;
  /** A custom property of tokens.css. */
  color: string;
  values: number[];
  /** Heights of the bars where they differ from the values: those that stand on other bars. */
  tops?: number[];
}

interface ChartProps {
  label: string;
  /** Milliseconds since the epoch, ascending. */
  timesMs: number[];
  /** Each is a day of UTC, not a moment. */
  days?: boolean;
  series: Series[];
  format: (value: number) => string;
  /** Values shorter than `format`'s, for the axis. */
  formatAxis?: (value: number) => string;
  /** The axis reaches at least this far, so that nothing does not look like much. */
  leastTop: number;
  /** Marks of the axis are multiples of powers of two. */
  binary?: boolean;
  /** Stands in the plot when there is nothing to draw. */
  empty?: string;
}

const plotHeight = 232;
const powersOfTwo = Array.from({ length: 50 }, (_, exponent) => 2 ** exponent);

/** The colour that a custom property has right now, in a form that a canvas takes. */
function colorOf(host: HTMLElement, property: string, alpha = 1): string {
  const probe = document.createElement("span");
  probe.style.color = `color-mix(in srgb, var(${property}) ${alpha * 100}%, transparent)`;
  probe.style.setProperty("forced-color-adjust", "none");
  host.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

function widened(min: number, max: number, slots: number): [number, number] {
  const half = slots > 1 ? (max - min) / (slots - 1) / 2 : 30;
  return [min - half, max + half];
}

function Key(props: { series: Series }): JSX.Element {
  return (
    <span class="chart-key">
      <i ref={(element) => element.style.setProperty("background", `var(${props.series.color})`)} />
      {props.series.label}
    </span>
  );
}

export function Chart(props: ChartProps): JSX.Element {
  let host!: HTMLDivElement;
  let plot: uPlot | null = null;
  const [hover, setHover] = createSignal<{ index: number; left: number } | null>(null);
  const [asTable, setAsTable] = createSignal(false);

  const formatTime = (ms: number) => (props.days ? formatDate : formatAbsolute)(ms);
  const data = (): uPlot.AlignedData => [
    props.timesMs.map((ms) => ms / 1000),
    ...props.series.map((one) => one.tops ?? one.values),
  ];
  const nothing = () => props.series.every((one) => one.values.every((value) => value === 0));

  /** A different set of lines needs a new plot; new values only need new data. */
  const kind = createMemo(() => [props.days, ...props.series.map((one) => one.label)].join());

  const build = () => {
    plot?.destroy();
    const axis = {
      stroke: colorOf(host, "--ink-3"),
      grid: { stroke: colorOf(host, "--line"), width: 1 },
      ticks: { show: false },
      font: `12px ${getComputedStyle(host).fontFamily}`,
    };
    plot = new uPlot(
      {
        width: host.clientWidth,
        height: plotHeight,
        padding: [8, 16, 0, 0],
        tzDate: (seconds) =>
          props.days ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000),
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        legend: { show: false },
        scales: {
          // Half a slot more at both ends, so that the outer bars stand whole.
          x: { range: (chart, min, max) => widened(min, max, chart.data[0].length) },
          y: { range: (_, __, max) => [0, Math.max(props.leastTop, max * 1.08)] },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: 24,
            gap: 6,
            space: 72,
            values: (_, ticks) => ticks.map((tick) => (props.days ? formatDay : formatMinute)(tick * 1000)),
          },
          {
            ...axis,
            size: (_, values) => 14 + 7 * Math.max(3, ...(values ?? []).map((value) => value.length)),
            gap: 8,
            space: 36,
            ...(props.binary ? { incrs: powersOfTwo } : {}),
            values: (_, ticks) => ticks.map((tick) => (props.formatAxis ?? props.format)(tick)),
          },
        ],
        series: [
          {},
          ...props.series.map((one) => ({
            label: one.label,
            fill: colorOf(host, one.color),
            width: 0,
            ...(uPlot.paths.bars === undefined ? {} : { paths: uPlot.paths.bars({ size: [0.74, 22], radius: 0.16 }) }),
            points: { show: false },
          })),
        ],
        hooks: {
          setCursor: [
            (chart) => {
              const index = chart.cursor.idx;
              setHover(
                index === null || index === undefined || (chart.cursor.left ?? -1) < 0
                  ? null
                  : { index, left: (chart.cursor.left ?? 0) + chart.bbox.left / devicePixelRatio },
              );
            },
          ],
        },
      },
      data(),
      host,
    );
  };

  onMount(() => {
    const resize = new ResizeObserver(() => plot?.setSize({ width: host.clientWidth, height: plotHeight }));
    resize.observe(host);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", build);
    createEffect(() => {
      scheme();
      accent();
      kind();
      queueMicrotask(build);
    });
    createEffect(() => {
      const now = data();
      plot?.setData(now);
    });
    onCleanup(() => {
      resize.disconnect();
      dark.removeEventListener("change", build);
      plot?.destroy();
    });
  });

  return (
    <figure class="stack-tight" aria-label={props.label}>
      <div class="row row-between">
        <figcaption class="chart-legend">
          <For each={props.series}>{(one) => <Key series={one} />}</For>
        </figcaption>
        <button type="button" class="more" aria-expanded={asTable()} onClick={() => setAsTable(!asTable())}>
          {asTable() ? "Show as a chart" : "Show as a table"}
        </button>
      </div>
      <div class="chart" hidden={asTable()} aria-hidden="true">
        <div ref={host} />
        <Show when={props.empty !== undefined && nothing()}>
          <p class="chart-empty">{props.empty}</p>
        </Show>
        <Show when={hover()}>
          {(at) => (
            <div
              class="chart-tip"
              ref={(element) =>
                createEffect(() => {
                  const right = at().left > host.clientWidth / 2;
                  element.style.setProperty("top", "0.75rem");
                  element.style.setProperty("left", right ? "auto" : `${at().left + 14}px`);
                  element.style.setProperty("right", right ? `${host.clientWidth - at().left + 14}px` : "auto");
                })
              }
            >
              <div class="muted">{formatTime(props.timesMs[at().index] ?? 0)}</div>
              <For each={props.series}>
                {(one) => (
                  <div class="chart-tip-row">
                    <Key series={one} />
                    <strong>{props.format(one.values[at().index] ?? 0)}</strong>
                  </div>
                )}
              </For>
            </div>
          )}
        </Show>
      </div>
      <Show when={asTable()}>
        <div class="table-wrap">
          <table class="table">
            <caption class="visually-hidden">{props.label}</caption>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <For each={props.series}>
                  {(one) => (
                    <th class="align-end" scope="col">
                      {one.label}
                    </th>
                  )}
                </For>
              </tr>
            </thead>
            <tbody>
              <For each={props.timesMs}>
                {(ms, index) => (
                  <tr>
                    <td class="num">{formatTime(ms)}</td>
                    <For each={props.series}>
                      {(one) => <td class="align-end">{props.format(one.values[index()] ?? 0)}</td>}
                    </For>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
    </figure>
  );
}
