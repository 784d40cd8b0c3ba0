// Whether an application works right now: the way of a request, live agents, traffic.

import { For, lazy, Show, type Accessor, type JSX } from "solid-js";
import { pollWhileLost } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import { canManage, serverUrl } from "../../api/session.ts";
import type { Application, Tunnel, TunnelAgent } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Button } from "../../ui/button.tsx";
import { Clip } from "../../ui/clip.tsx";
import { Command } from "../../ui/copy.tsx";
import { formatBytes, formatCompact } from "../../ui/format.ts";
import { Load } from "../../ui/load.tsx";
import { Empty, Note } from "../../ui/note.tsx";
import { Card, Stat } from "../../ui/page.tsx";
import { Dot, isPublic, policyWord, Target, tunnelState, TunnelProof } from "../../ui/state.tsx";
import { PathStrip } from "../tunnels/path-strip.tsx";
import { askClear, askDisconnect, checkNow } from "../tunnels/tunnel-actions.ts";

const TrafficCard = lazy(() => import("../overview/traffic-card.tsx"));

export function ApplicationOverview(props: { application: Accessor<Application> }): JSX.Element {
  const application = props.application;
  const tunnels = useQuery(() => ({
    ...resources.applicationTunnels(application().id),
    refetchInterval: pollWhileLost(3_000),
  }));
  const access = () => policyWord(application().authType ?? "open");
  return (
    <>
      <Show when={isPublic(application())}>
        <Note tone="warn" title="Open to the world">
          <p>
            No visitor policy applies: whoever knows the address may call it.{" "}
            <a href={`/dashboard/applications/${application().id}/policy`}>Set a policy</a>
          </p>
        </Note>
      </Show>
      <Load query={tunnels}>
        {(page) => (
          <>
            <For each={page().items}>
              {(tunnel) => <LiveTunnel tunnel={tunnel} access={access()} open={isPublic(application())} />}
            </For>
            {/* Below what is shown already: it comes when an agent goes, and moves no button then. */}
            <Show when={!page().items.some(({ connected }) => connected)}>
              <Card>
                <Empty
                  icon="plug"
                  title="No agent is connected"
                  text="Visitors get an error page that says so. Connect an agent:"
                >
                  <Command
                    text={`digit-link http 3000 --subdomain ${application().subdomain} --server ${serverUrl()}`}
                  />
                </Empty>
              </Card>
            </Show>
          </>
        )}
      </Load>
      <dl class="stats">
        <Stat name="Requests" value={formatCompact(application().stats.requestCount)} note="in all" />
        <Stat name="TCP connections" value={formatCompact(application().stats.totalConnections)} note="in all" />
        <Stat name="Sent to visitors" value={formatBytes(application().stats.bytesSent)} note="in all" />
        <Stat name="Received from visitors" value={formatBytes(application().stats.bytesReceived)} note="in all" />
      </dl>
      <TrafficCard app={application().id} />
    </>
  );
}

function LiveTunnel(props: { tunnel: Tunnel; access: string; open: boolean }): JSX.Element {
  return (
    <Card
      mark={<Dot tone={tunnelState(props.tunnel).tone} />}
      title={tunnelState(props.tunnel).word}
      lead={<TunnelProof tunnel={props.tunnel} />}
      actions={
        <Show
          when={props.tunnel.connected}
          fallback={
            <Show when={canManage()}>
              <Button small kind="danger" onClick={() => askClear(props.tunnel)}>
                Clear…
              </Button>
            </Show>
          }
        >
          <Button small icon="pulse" onClick={() => void checkNow(props.tunnel)}>
            Check the service now
          </Button>
          <Show when={canManage()}>
            <Button small kind="danger" onClick={() => askDisconnect(props.tunnel)}>
              Disconnect…
            </Button>
          </Show>
        </Show>
      }
    >
      <div class="stack-loose">
        <PathStrip tunnel={props.tunnel} access={props.access} open={props.open} />
        <Show when={props.tunnel.agents.length > 0}>
          <AgentTable agents={props.tunnel.agents} />
        </Show>
      </div>
    </Card>
  );
}

function AgentTable(props: { agents: TunnelAgent[] }): JSX.Element {
  return (
    <div class="table-wrap">
      <table class="table table-cards" aria-label="Agents">
        <thead>
          <tr>
            <th scope="col">Agent</th>
            <th scope="col">Leads to</th>
            <th scope="col">Opened by</th>
            <th scope="col">Address</th>
            <th scope="col">Version</th>
            <th scope="col" class="align-end">
              Sessions
            </th>
          </tr>
        </thead>
        <tbody>
          <For each={props.agents}>
            {(agent) => (
              <tr>
                <td data-label="Agent" class="wide">
                  <code>
                    <Clip text={agent.agentId} />
                  </code>
                </td>
                <td data-label="Leads to">
                  <Target target={agent.target} />
                </td>
                <td data-label="Opened by">{agent.actor}</td>
                <td data-label="Address">
                  <code>{agent.address}</code>
                </td>
                <td data-label="Version">{agent.version}</td>
                <td class="align-end" data-label="Sessions">
                  {agent.sessions}
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}
