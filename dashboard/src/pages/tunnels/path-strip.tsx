// The way of a request through one tunnel, part by part, each with the proof that it works.

import { Show, type JSX } from "solid-js";
import type { Tunnel } from "../../api/types.ts";
import { formatDuration, plural } from "../../ui/format.ts";
import type { Tone } from "../../ui/note.tsx";
import { Ago } from "../../ui/time.tsx";
import { Target, TunnelProof } from "../../ui/state.tsx";

/** `line` is the way from here to the next stop. */
function Stop(props: { name: string; value: JSX.Element; note: JSX.Element; tone: Tone; line?: Tone }): JSX.Element {
  return (
    <li class="path-stop" data-tone={props.tone} data-line={props.line}>
      <span class="path-name">{props.name}</span>
      <span class="path-value">{props.value}</span>
      <span class="path-note">{props.note}</span>
    </li>
  );
}

export function PathStrip(props: { tunnel: Tunnel; access: string; open: boolean }): JSX.Element {
  const connected = () => props.tunnel.connected;
  const localTone = (): Tone => {
    if (!connected()) return "idle";
    return { up: "good", down: "bad", unknown: "warn" }[props.tunnel.local.state] as Tone;
  };
  const localWord = () => {
    if (!connected()) return "Out of reach";
    return { up: "Answers", down: "Does not answer", unknown: "Not proven yet" }[props.tunnel.local.state];
  };
  return (
    <ol class="path" aria-label="The way of a request">
      <Stop
        name="Visitor"
        value={props.access}
        note={props.open ? "anybody may call" : "checked before anything passes"}
        tone={props.open ? "warn" : "good"}
        line={props.open ? "warn" : "good"}
      />
      <Stop
        name="Server"
        value={<span class="break">{props.tunnel.url.replace(/^https?:\/\//, "")}</span>}
        note="this server"
        tone="good"
        line={connected() ? "good" : "bad"}
      />
      <Stop
        name="Agent"
        value={connected() ? plural(props.tunnel.sessions, "session") : "Offline"}
        note={
          <Show
            when={connected()}
            fallback={
              <>
                last seen <Ago time={props.tunnel.lastSeenAt} />
              </>
            }
          >
            {props.tunnel.rttMs === null
              ? "round trip not measured yet"
              : `round trip ${formatDuration(props.tunnel.rttMs)}`}
          </Show>
        }
        tone={connected() ? "good" : "bad"}
        line={localTone()}
      />
      <Stop
        name="Local service"
        value={localWord()}
        note={
          <>
            <Target target={props.tunnel.target} /> <TunnelProof tunnel={props.tunnel} />
          </>
        }
        tone={localTone()}
      />
    </ol>
  );
}
