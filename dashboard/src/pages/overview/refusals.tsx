// The last refusals, each with the rule that made it; new ones come in from the event stream.

import { createSignal, For, Show, type JSX } from "solid-js";
import { listen } from "../../api/live.ts";
import * as resources from "../../api/resources.ts";
import type { Refusal } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Load } from "../../ui/load.tsx";
import { Card } from "../../ui/page.tsx";
import { Ago } from "../../ui/time.tsx";
import { Badge } from "../../ui/state.tsx";

const shownAtOnce = 8;
const keyOf = ({ time, name, rule, address }: Refusal): string => [time, name, rule, address].join(" ");

export function RecentRefusals(): JSX.Element {
  const overview = useQuery(() => resources.overview());
  const [fresh, setFresh] = createSignal<Refusal[]>([]);
  listen((event) => {
    if (event.type === "refusal") setFresh((all) => [event.data as Refusal, ...all].slice(0, shownAtOnce));
  });
  const rows = (older: Refusal[]) => {
    // The query is asked again now and then, and knows by then what the stream has said.
    const known = new Set(older.map(keyOf));
    return [...fresh().filter((one) => !known.has(keyOf(one))), ...older].slice(0, shownAtOnce);
  };
  return (
    <Card
      title="Recent refusals"
      lead="Who was turned away, and by which rule."
      actions={<a href="/dashboard/audit?outcome=failure">All in the audit log</a>}
      flush
    >
      <Load query={overview}>
        {(data) => (
          <Show
            when={rows(data().recentRefusals).length > 0}
            fallback={<p class="lines-empty">Nobody was refused lately.</p>}
          >
            <ul class="lines">
              <For each={rows(data().recentRefusals)}>
                {(refusal) => (
                  <li>
                    <span class="cell-main">
                      <span class="row">
                        <span class="cell-title break">{refusal.name || "no name"}</span>
                        <Badge tone="warn">{refusal.rule}</Badge>
                      </span>
                      <span class="cell-sub">
                        from <code>{refusal.address}</code>
                        <Show when={refusal.identity}> as {refusal.identity}</Show>
                      </span>
                    </span>
                    <span class="muted small">
                      <Ago time={refusal.time} />
                    </span>
                  </li>
                )}
              </For>
            </ul>
          </Show>
        )}
      </Load>
    </Card>
  );
}
