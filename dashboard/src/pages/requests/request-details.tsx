// One request in full: where its time went, sizes, who asked, headers.

import { For, Match, Show, Switch, type JSX } from "solid-js";
import * as resources from "../../api/resources.ts";
import type { CapturedRequest } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Clip } from "../../ui/clip.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { formatBytes, formatDuration } from "../../ui/format.ts";
import { Load } from "../../ui/load.tsx";
import { Note, type Tone } from "../../ui/note.tsx";
import { Fact } from "../../ui/page.tsx";
import { Moment } from "../../ui/time.tsx";

/** How an answer went, by its status; a cut exchange is never good, and one that runs not bad yet. */
export function statusTone(request: CapturedRequest): Tone {
  if (request.running && request.status === 0) return "idle";
  if (request.error !== null || request.status >= 500 || request.status === 0) return "bad";
  if (request.status >= 400) return "warn";
  return request.status >= 200 && request.status < 300 ? "good" : "idle";
}

function statusText({ status, running }: CapturedRequest): string {
  if (status !== 0) return String(status);
  return running ? "none yet: it is still running" : "none: the connection was cut";
}

/** `known` is shown at once; otherwise the server is asked. */
export function RequestDetails(props: {
  id: string;
  known: CapturedRequest | undefined;
  onClose: () => void;
}): JSX.Element {
  return (
    <Dialog drawer title="Request" onClose={props.onClose}>
      <Switch>
        <Match when={props.known}>{(request) => <Content request={request()} />}</Match>
        <Match when={true}>
          <Fetched id={props.id} />
        </Match>
      </Switch>
    </Dialog>
  );
}

function Fetched(props: { id: string }): JSX.Element {
  const query = useQuery(() => resources.request(props.id));
  return <Load query={query}>{(request) => <Content request={request()} />}</Load>;
}

function Content(props: { request: CapturedRequest }): JSX.Element {
  const request = () => props.request;
  return (
    <>
      <p class="row row-one-line">
        <span class="method">{request().method}</span>
        <code class="grow break">
          <Clip text={request().path} limit={400} />
        </code>
        <CopyButton text={request().path} what="path" />
      </p>
      <Show when={request().error}>
        {(error) => (
          <Note tone="bad" title="Ended early">
            <p>{error()}</p>
          </Note>
        )}
      </Show>
      <dl class="facts">
        <Fact name="Status">
          <span class="status" data-tone={statusTone(request())}>
            {statusText(request())}
          </span>
        </Fact>
        <Fact name="Time">
          <Moment time={request().time} />
        </Fact>
        <Fact name="Tunnel">{request().name}</Fact>
        <Fact name="Visitor">
          <code>{request().address}</code>
        </Fact>
        <Fact name="Logged in as">{request().principal ?? <span class="muted">nobody</span>}</Fact>
        <Fact name="Body in / out">
          <Show when={!request().running} fallback={<span class="muted">known when it has ended</span>}>
            {formatBytes(request().bytesIn)} / {formatBytes(request().bytesOut)}
          </Show>
        </Fact>
      </dl>
      <Timing request={request()} />
      <HeaderList title="Request headers" headers={request().requestHeaders} />
      <HeaderList title="Response headers" headers={request().responseHeaders} />
      <p class="small muted">
        Request id <code>{request().id}</code> <CopyButton text={request().id} what="request id" />
      </p>
    </>
  );
}

/** Where the time went. What is left over is the server's own work and the transfer of the bodies. */
function Timing(props: { request: CapturedRequest }): JSX.Element {
  const parts = () => {
    const { totalMs, policyMs, queueMs, tunnelMs, localMs } = props.request;
    const rest = Math.max(0, totalMs - policyMs - queueMs - tunnelMs - localMs);
    return [
      { part: "server", name: "Server", ms: policyMs + rest, note: "policy, transfer of bodies" },
      { part: "wait", name: "Waiting for the agent", ms: queueMs, note: "no session was free or connected" },
      { part: "tunnel", name: "Tunnel", ms: tunnelMs, note: "to the agent and back" },
      { part: "local", name: "Local service", ms: localMs, note: "until its response head" },
    ];
  };
  return (
    <section class="stack-tight" aria-label="Timing">
      <h3>
        {formatDuration(props.request.totalMs)}{" "}
        <span class="muted">{props.request.running ? "when this was asked, and still running" : "in all"}</span>
      </h3>
      <div class="split" aria-hidden="true">
        <For each={parts()}>
          {(one) => (
            <Show when={one.ms > 0}>
              {/* In microseconds: parts that are less than 1 together would leave some of the bar empty. */}
              <span
                data-part={one.part}
                ref={(element) => element.style.setProperty("flex-grow", String(one.ms * 1_000))}
              />
            </Show>
          )}
        </For>
      </div>
      <div class="timing">
        <For each={parts()}>
          {(one) => (
            <>
              <span class="split-key" data-part={one.part} aria-hidden="true" />
              <span>
                {one.name} <span class="timing-note">{one.note}</span>
              </span>
              <span class="align-end num">{formatDuration(one.ms)}</span>
            </>
          )}
        </For>
      </div>
    </section>
  );
}

function HeaderList(props: { title: string; headers: [string, string][] }): JSX.Element {
  return (
    <section class="stack-tight">
      <h3>
        {props.title} <span class="muted num">{props.headers.length}</span>
      </h3>
      <Show when={props.headers.length > 0} fallback={<p class="muted">None were kept.</p>}>
        <dl class="headers">
          <For each={props.headers}>
            {([name, value]) => (
              <div>
                <dt>{name}</dt>
                <dd>
                  <Clip text={value} limit={300} />
                </dd>
              </div>
            )}
          </For>
        </dl>
      </Show>
    </section>
  );
}
