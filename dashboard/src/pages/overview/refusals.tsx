// The last refusals, each with the rule that made it; new ones come in from the event stream.

import { createMemo, createSignal, For, Show, type JSX } from "solid-js";
import { listen } from "../../api/live.ts";
import { pollWhileLost } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import { canManage, isAdmin } from "../../api/session.ts";
import type { Refusal } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { LinkButton } from "../../ui/button.tsx";
import { ShowNew, type Follow } from "../../ui/follow.tsx";
import { createHeldList } from "../../ui/held-list.ts";
import { Load } from "../../ui/load.tsx";
import { Empty } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { createReading } from "../../ui/reading.ts";
import { Badge } from "../../ui/state.tsx";
import { Ago } from "../../ui/time.tsx";

const shownAtOnce = 8;
const mostHeard = 100;
const idOf = ({ time, name, rule, address }: Refusal): string => [time, name, rule, address].join(" ");

export function RecentRefusals(props: { follow: Follow }): JSX.Element {
  const overview = useQuery(() => ({ ...resources.overview(), refetchInterval: pollWhileLost(10_000) }));
  const [heard, setHeard] = createSignal<Refusal[]>([]);
  listen((event) => {
    if (event.type === "refusal") setHeard((all) => [event.data as Refusal, ...all].slice(0, mostHeard));
  });
  /** The query is asked again now and then, and knows by then what the stream has said. A row stays the same object. */
  const latest = createMemo((before: (Refusal & { id: string })[] | undefined) => {
    if (overview.dataUpdatedAt === 0 || overview.isPending) return undefined;
    const known = new Map(before?.map((one) => [one.id, one]));
    const all = [...heard(), ...(overview.data?.recentRefusals ?? [])].map((one) => {
      const id = idOf(one);
      return known.get(id) ?? { ...one, id };
    });
    return [...new Map(all.map((one) => [one.id, one])).values()].sort((a, b) => (a.time < b.time ? 1 : -1));
  });
  const { reading, watch } = createReading();
  const held = createHeldList({ latest, mayMove: () => props.follow.following() && !reading() });
  const rows = () => held.rows().slice(0, shownAtOnce);
  return (
    <Card
      title="Recent refusals"
      lead="Who was turned away, and by which rule."
      actions={
        <ShowNew waiting={held.waiting()} more={held.waiting() >= mostHeard} one="refusal" onShow={held.catchUp}>
          <Show when={canManage()}>
            <a href="/dashboard/audit?outcome=failure">All in the audit log</a>
          </Show>
        </ShowNew>
      }
      flush
    >
      <Load query={overview}>
        {() => (
          <Show when={rows().length > 0} fallback={<NoRefusals />}>
            <ul class="lines" ref={watch}>
              <For each={rows()}>
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

function NoRefusals(): JSX.Element {
  return (
    <Empty
      icon="shield"
      title="Nobody was refused lately"
      text="Whoever is turned away shows up here at once. Whitelists say where agents may connect from, visitor policies who may call."
    >
      <LinkButton href="/dashboard/whitelists">Agent whitelists</LinkButton>
      <LinkButton href={isAdmin() ? "/dashboard/applications" : "/dashboard/policy"}>
        {isAdmin() ? "Applications and their policies" : "Visitor policy"}
      </LinkButton>
    </Empty>
  );
}
