// States told truthfully: green only for "connected and the local service answered", each with the age of its proof.

import { Show, type JSX } from "solid-js";
import type { Application, Tunnel } from "../api/types.ts";
import { Clip } from "./clip.tsx";
import type { Tone } from "./note.tsx";
import { Ago } from "./time.tsx";

/** A word in a pill. */
export function Badge(props: { tone?: Tone; children: JSX.Element }): JSX.Element {
  return (
    <span class="badge" data-tone={props.tone}>
      {props.children}
    </span>
  );
}

/** A mark whose shape, not only its colour, tells the state. */
export function Dot(props: { tone: Tone }): JSX.Element {
  return <span class="dot" data-tone={props.tone} aria-hidden="true" />;
}

/** What may be said about a tunnel from what is known. */
export function tunnelState(tunnel: Pick<Tunnel, "connected" | "local">): { tone: Tone; word: string } {
  if (!tunnel.connected) return { tone: "idle", word: "Offline" };
  if (tunnel.local.state === "up") return { tone: "good", word: "Up" };
  if (tunnel.local.state === "down") return { tone: "bad", word: "Service down" };
  return { tone: "warn", word: "Unproven" };
}

/** State of a tunnel in two lines: the word, and the proof behind it. */
export function TunnelState(props: { tunnel: Tunnel }): JSX.Element {
  const state = () => tunnelState(props.tunnel);
  return (
    <span class="state">
      <span class="state-main">
        <Dot tone={state().tone} />
        {state().word}
      </span>
      <span class="state-why">
        <TunnelProof tunnel={props.tunnel} />
      </span>
    </span>
  );
}

/** What an agent leads to, as the agent says. */
export function Target(props: { target: string | null }): JSX.Element {
  return (
    <Show when={props.target} fallback={<span class="muted">not told</span>}>
      {(target) => (
        <code class="break">
          <Clip text={target()} limit={60} />
        </code>
      )}
    </Show>
  );
}

/** Why the state is what it is, and since when. */
export function TunnelProof(props: { tunnel: Tunnel }): JSX.Element {
  const local = () => props.tunnel.local;
  return (
    <Show
      when={props.tunnel.connected}
      fallback={
        <>
          last seen <Ago time={props.tunnel.lastSeenAt} />
        </>
      }
    >
      <Show when={local().state === "up"}>
        answered <Ago time={local().provenAt} never="at an unknown time" />
      </Show>
      <Show when={local().state === "down"}>
        {local().why ?? "no answer"}, since <Ago time={local().since} never="an unknown time" />
      </Show>
      <Show when={local().state === "unknown"}>connected, no answer seen yet</Show>
    </Show>
  );
}

/** Anybody on the internet may visit. */
export const isPublic = (application: Application): boolean => application.authType === null;

/** Who may visit an application. */
export function AccessBadge(props: { application: Application }): JSX.Element {
  const tone = (): Tone => {
    if (isPublic(props.application)) return "warn";
    return props.application.authType === "deny" ? "bad" : "good";
  };
  return <Badge tone={tone()}>{policyWord(props.application.authType ?? "open")}</Badge>;
}

/** The kind of a policy for people. */
export function policyWord(kind: string | null | undefined): string {
  const words: Record<string, string> = {
    basic: "Password",
    api_key: "API key",
    oidc: "Single sign-on",
    open: "Public",
    deny: "Nobody",
  };
  return words[kind ?? ""] ?? "Protected";
}
