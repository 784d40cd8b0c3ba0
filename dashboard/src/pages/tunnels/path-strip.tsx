// The way of a request through one tunnel, part by part, each with its own state and the proof of it.

import { Show, type JSX } from "solid-js";
import type { Tunnel } from "../../api/types.ts";
import { formatDuration, plural } from "../../ui/format.ts";
import { Target, TunnelProof } from "../../ui/state.tsx";
import { Ago } from "../../ui/time.tsx";
import { pathStates, type Part } from "./path-states.ts";

/** The line before its name is the way from here to the next stop. */
function Stop(props: { name: string; part: Part; value?: JSX.Element; note: JSX.Element }): JSX.Element {
  return (
    <li class="path-stop" data-tone={props.part.tone} data-line={props.part.line}>
      <span class="path-name">{props.name}</span>
      <span class="path-value">{props.value ?? props.part.word}</span>
      <span class="path-note">{props.note}</span>
    </li>
  );
}

export function PathStrip(props: { tunnel: Tunnel; access: string; open: boolean }): JSX.Element {
  const states = () => pathStates(props.tunnel, props.open);
  return (
    <ol class="path" aria-label="The way of a request">
      <Stop
        name="Visitor"
        part={states().visitor}
        value={props.access}
        note={props.open ? "anybody may call" : "checked before anything passes"}
      />
      <Stop
        name="Server"
        part={states().server}
        note={<span class="break">{props.tunnel.url.replace(/^\w+:\/\//, "")}</span>}
      />
      <Stop
        name="Agent"
        part={states().agent}
        note={
          <Show
            when={props.tunnel.connected}
            fallback={
              <>
                last seen <Ago time={props.tunnel.lastSeenAt} />
              </>
            }
          >
            {plural(props.tunnel.sessions, "session")},{" "}
            {props.tunnel.rttMs === null
              ? "round trip not measured yet"
              : `round trip ${formatDuration(props.tunnel.rttMs)}`}
          </Show>
        }
      />
      <Stop
        name="Local service"
        part={states().local}
        note={
          <>
            <Target target={props.tunnel.target} />{" "}
            <Show when={props.tunnel.connected}>
              <TunnelProof tunnel={props.tunnel} />
            </Show>
          </>
        }
      />
    </ol>
  );
}
