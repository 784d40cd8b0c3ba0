// The busiest tunnels, as bars.

import { createEffect, For, Show, type JSX } from "solid-js";
import { pollWhileLost } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import { serverUrl } from "../../api/session.ts";
import { useQuery } from "../../api/use-query.ts";
import { Clip } from "../../ui/clip.tsx";
import { Command } from "../../ui/copy.tsx";
import { formatBytes, formatCompact } from "../../ui/format.ts";
import { ShowNew, type Follow } from "../../ui/follow.tsx";
import { createHeldList } from "../../ui/held-list.ts";
import { Load } from "../../ui/load.tsx";
import { Empty } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { createReading } from "../../ui/reading.ts";

/** `isFirst`: nobody ever opened one, and the page says above how to. */
export function TopTunnels(props: { follow: Follow; isFirst: boolean }): JSX.Element {
  const overview = useQuery(() => ({ ...resources.overview(), refetchInterval: pollWhileLost(10_000) }));
  const latest = () => (overview.dataUpdatedAt === 0 || overview.isPending ? undefined : overview.data?.topTunnels);
  const { reading, watch } = createReading();
  const held = createHeldList({ latest, mayMove: () => props.follow.following() && !reading() });
  const most = () => Math.max(1, ...held.rows().map(({ requests }) => requests));
  return (
    <Card
      title="Busiest tunnels"
      lead="By requests since they opened."
      actions={
        <ShowNew waiting={held.waiting()} one="tunnel" onShow={held.catchUp}>
          <a href="/dashboard/tunnels">All tunnels</a>
        </ShowNew>
      }
      flush
    >
      <Load query={overview}>
        {() => (
          <Show when={held.rows().length > 0} fallback={<NoTunnels isFirst={props.isFirst} />}>
            <ol class="bars" ref={watch}>
              <For each={held.rows()}>
                {(tunnel) => (
                  <li class="bar-row" classList={{ "row-off": held.isGone(tunnel.id) }}>
                    <Fill share={tunnel.requests / most()} />
                    <a href={`/dashboard/requests?tunnel=${encodeURIComponent(tunnel.id)}`}>
                      <Clip text={tunnel.subdomain} />
                    </a>
                    <span class="num">{formatCompact(tunnel.requests)}</span>
                    <span class="num muted">{formatBytes(tunnel.bytesIn + tunnel.bytesOut)}</span>
                  </li>
                )}
              </For>
            </ol>
          </Show>
        )}
      </Load>
    </Card>
  );
}

function NoTunnels(props: { isFirst: boolean }): JSX.Element {
  return (
    <Show
      when={props.isFirst}
      fallback={
        <Empty
          icon="tunnel"
          title="No tunnel is connected"
          text="Start an agent beside a service that listens on port 3000, and its tunnel shows up here:"
        >
          <Command text={`digit-link http 3000 --server ${serverUrl()}`} />
        </Empty>
      }
    >
      <Empty
        icon="tunnel"
        title="No tunnel is connected"
        text="Open the first one with the command above, and it shows up here."
      />
    </Show>
  );
}

/** A line below the row, as long as its share. */
function Fill(props: { share: number }): JSX.Element {
  return (
    <>
      <span class="bar-track" aria-hidden="true" />
      <span
        ref={(element) =>
          createEffect(() => {
            const share = Math.max(0.005, props.share);
            element.style.setProperty("width", `calc((100% - 2 * var(--inset)) * ${share})`);
          })
        }
        class="bar-fill"
        aria-hidden="true"
      />
    </>
  );
}
