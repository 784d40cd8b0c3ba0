// The busiest tunnels, as bars.

import { useQuery } from "@tanstack/solid-query";
import { For, Show, type JSX } from "solid-js";
import * as resources from "../../api/resources.ts";
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
    >
      <Load query={overview}>
        {(data) => (
          <Show when={data().topTunnels.length > 0} fallback={<p class="muted">No tunnel is connected.</p>}>
            <ol class="bars">
              <For each={data().topTunnels}>
                {(tunnel) => (
                  <li class="bar-row">
                    <Fill share={tunnel.requests / Math.max(1, ...data().topTunnels.map((one) => one.requests))} />
                    <a class="break" href={`/dashboard/requests?tunnel=${encodeURIComponent(tunnel.id)}`}>
                      {tunnel.subdomain}
                    </a>
                    <span class="num">
                      {formatCompact(tunnel.requests)}{" "}
                      <span class="muted">· {formatBytes(tunnel.bytesIn + tunnel.bytesOut)}</span>
                    </span>
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

function Fill(props: { share: number }): JSX.Element {
  let element!: HTMLSpanElement;
  const width = () => `${Math.max(1, props.share * 100)}%`;
  return (
    <span
      ref={(node) => {
        element = node;
        element.style.setProperty("width", width());
      }}
      class="bar-fill"
      aria-hidden="true"
    />
  );
}
