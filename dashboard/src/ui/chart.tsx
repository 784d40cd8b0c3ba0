// A chart over time: axes with units, legend, hover, and the same numbers as a table for who can't see it.

import { createEffect, createSignal, For, onCleanup, onMount, Show, type JSX } from "solid-js";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatAbsolute, formatTick } from "./format.ts";
import { accent, scheme } from "./theme.ts";

export interface Series {
  label: string;
  /** A custom property of tokens.css. */
  color: string;
  values: number[];
}

interface ChartProps {
  label: string;
  /** Milliseconds since the epoch, ascending. */
  timesMs: number[];
  series: Series[];
  format: (value: number) => string;
  /** Values shorter than `format`'s, for the axis. */
  formatAxis?: (value: number) => string;
  /** The axis reaches at least this far, so that nothing does not look like much. */
  leastTop: number;
}

/** The colour that a custom property has right now, in a form that a canvas takes. */
function colorOf(host: HTMLElement, property: string, alpha = 1): string {
  const probe = document.createElement("span");
  probe.style.color = `color-mix(in srgb, var(${property}) ${alpha * 100}%, transparent)`;
  host.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

export function Chart(props: ChartProps): JSX.Element {
  let host!: HTMLDivElement;
  let plot: uPlot | null = null;
  const [hover, setHover] = createSignal<{ index: number; left: number } | null>(null);
  const [asTable, setAsTable] = createSignal(false);

  const spanMs = () => (props.timesMs.at(-1) ?? 0) - (props.timesMs[0] ?? 0);
  const data = (): uPlot.AlignedData => [
    props.timesMs.map((ms) => ms / 1000),
    ...props.series.map((one) => one.values),
  ];

  const build = () => {
    plot?.destroy();
    const axis = {
      stroke: colorOf(host, "--ink-3"),
      grid: { stroke: colorOf(host, "--line"), width: 1 },
      ticks: { show: false },
    };
    plot = new uPlot(
      {
        width: host.clientWidth,
        height: 240,
        padding: [12, 24, 0, 0],
        cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
        legend: { show: false },
        scales: { y: { range: (_, __, max) => [0, Math.max(props.leastTop, max * 1.1)] } },
        axes: [
          {
            ...axis,
            font: "12px system-ui",
            space: 80,
            values: (_, ticks) => ticks.map((tick) => formatTick(tick * 1000, spanMs())),
          },
          {
            ...axis,
            font: "12px system-ui",
            size: 64,
            values: (_, ticks) => ticks.map((tick) => (props.formatAxis ?? props.format)(tick)),
          },
        ],
        series: [
          {},
          ...props.series.map((one) => ({
            label: one.label,
            stroke: colorOf(host, one.color),
            fill: colorOf(host, one.color, 0.13),
            width: 2,
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
                  : { index, left: (chart.cursor.left ?? 0) + 64 },
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
    const resize = new ResizeObserver(() => plot?.setSize({ width: host.clientWidth, height: 240 }));
    resize.observe(host);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", build);
    createEffect(() => {
      scheme();
      accent();
      // A different set of lines needs a new plot; new values only need new data.
      props.series.map((one) => one.label).join();
      queueMicrotask(build);
    });
    createEffect(() => plot?.setData(data()));
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
          <For each={props.series}>
            {(one) => (
              <span class="chart-key">
                <i ref={(element) => element.style.setProperty("background", `var(${one.color})`)} />
                {one.label}
              </span>
            )}
          </For>
        </figcaption>
        <button type="button" class="more" aria-expanded={asTable()} onClick={() => setAsTable(!asTable())}>
          {asTable() ? "Show as a chart" : "Show as a table"}
        </button>
      </div>
      <div class="chart" hidden={asTable()} aria-hidden="true">
        <div ref={host} />
        <Show when={hover()}>
          {(at) => (
            <div
              class="chart-tip"
              ref={(element) =>
                createEffect(() => {
                  const right = at().left > host.clientWidth * 0.6;
                  element.style.setProperty("top", "0.75rem");
                  element.style.setProperty("left", right ? "auto" : `${at().left + 14}px`);
                  element.style.setProperty("right", right ? `${host.clientWidth - at().left + 14}px` : "auto");
                })
              }
            >
              <div class="muted">{formatAbsolute(props.timesMs[at().index] ?? 0)}</div>
              <For each={props.series}>
                {(one) => (
                  <div class="chart-tip-row">
                    <span>{one.label}</span>
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
                    <td class="num">{formatAbsolute(ms)}</td>
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
