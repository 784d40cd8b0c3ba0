// The busiest tunnels, as bars.

import { createEffect, For, Show, type JSX } from "solid-js";
import * as resources from "../../api/resources.ts";
import { useQuery } from "../../api/use-query.ts";
import { Clip } from "../../ui/clip.tsx";
import { formatBytes, formatCompact } from "../../ui/format.ts";
import { Load } from "../../ui/load.tsx";
import { Card } from "../../ui/page.tsx";

export function TopTunnels(): JSX.Element {
  const overview = useQuery(() => ({ ...resources.overview(), refetchInterval: 10_000 }));
  return (
    <Card
      title="Busiest tunnels"
      lead="By requests since they opened."
      actions={<a href="/dashboard/tunnels">All tunnels</a>}
      flush
    >
      <Load query={overview}>
        {(data) => (
          <Show when={data().topTunnels.length > 0} fallback={<p class="lines-empty">No tunnel is connected.</p>}>
            <ol class="bars">
              <For each={data().topTunnels}>
                {(tunnel) => (
                  <li class="bar-row">
                    <Fill share={tunnel.requests / Math.max(1, ...data().topTunnels.map((one) => one.requests))} />
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
