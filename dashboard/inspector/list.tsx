// The exchanges below each other, the newest first.

import { createMemo, For, Show, type JSX } from "solid-js";
import type { ExchangeSummary } from "../../cli/inspector/types.ts";
import { formatDuration } from "../src/ui/format.ts";
import type { Tone } from "../src/ui/note.tsx";
import { ShownText } from "../src/ui/shown-text.tsx";
import { Moment } from "../src/ui/time.tsx";

/** How it went; one that runs is not bad yet. */
export function toneOf({ status, totalMs, error, cancelled }: ExchangeSummary): Tone {
  if (status === 0 && totalMs === null) return "idle";
  // Who leaves before there is an answer has waited for it.
  if (cancelled && status === 0) return "warn";
  if ((error !== null && !cancelled) || status >= 500 || status === 0) return "bad";
  if (status >= 400) return "warn";
  return status >= 200 && status < 300 ? "good" : "idle";
}

export function statusOf({ status, totalMs }: ExchangeSummary): string {
  if (status > 0) return String(status);
  return totalMs === null ? "…" : "cut";
}

/** How it ended, where that is no failure; null: as it should, or it failed. */
export function endOf({ cancelled, error }: ExchangeSummary): string | null {
  if (!cancelled) return null;
  return error?.startsWith("the visitor") ? "ended by the visitor" : "ended early";
}

export function tookOf({ status, totalMs }: ExchangeSummary): string {
  if (totalMs !== null) return formatDuration(totalMs);
  return status === 101 ? "open" : "running";
}

export function ExchangeList(props: {
  exchanges: ExchangeSummary[];
  chosen: number | null;
  onChoose: (id: number) => void;
}): JSX.Element {
  const byId = createMemo(() => new Map(props.exchanges.map((exchange) => [exchange.id, exchange])));
  const several = () => new Set(props.exchanges.map(({ url }) => url)).size > 1;
  /** Of two hundred one is a stop of Tab, or nobody would come past them. */
  const stop = createMemo(() => (byId().has(props.chosen ?? -1) ? props.chosen : props.exchanges[0]?.id));
  /** Arrows lead from one to the next, as in a mailbox. */
  const step = (event: KeyboardEvent & { currentTarget: HTMLElement }): void => {
    const buttons = [...event.currentTarget.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    const next = buttons[to];
    event.preventDefault();
    next?.focus();
    next?.click();
  };
  return (
    <ul onKeyDown={step}>
      <For each={props.exchanges.map(({ id }) => id)}>
        {(id) => {
          const one = (): ExchangeSummary => byId().get(id)!;
          return (
            <li>
              <button
                type="button"
                class="exchange"
                data-id={id}
                tabindex={stop() === id ? 0 : -1}
                aria-current={props.chosen === id ? "true" : undefined}
                onClick={() => props.onChoose(id)}
              >
                <span class="status" data-tone={toneOf(one())}>
                  {statusOf(one())}
                </span>
                <span class="exchange-main">
                  <span class="exchange-line">
                    <span class="method">{one().method}</span>{" "}
                    <code>
                      <ShownText text={one().path} />
                    </code>
                  </span>
                  <span class="exchange-sub">
                    #{id} · <Moment time={one().startedAt} clock />
                    <Show when={several()}>
                      {" · "}
                      {
                        one()
                          .url.replace(/^https?:\/\//, "")
                          .split(".", 1)[0]
                      }
                    </Show>
                    <Show when={endOf(one())}>{(end) => <> · {end()}</>}</Show>
                    <Show when={one().repeats}>
                      {(repeats) => (
                        <>
                          {" · "}
                          {repeats().changed ? "changed from" : "again"} #{repeats().id}
                        </>
                      )}
                    </Show>
                  </span>
                </span>
                <span class="exchange-end num">{tookOf(one())}</span>
              </button>
            </li>
          );
        }}
      </For>
    </ul>
  );
}
