// Notes in the page, empty states, and failures with a way to try again.

import { Show, type JSX } from "solid-js";
import { ApiError, messageOf } from "../api/client.ts";
import { Button, LinkButton } from "./button.tsx";
import { Icon, type IconName } from "./icon.tsx";
import { Moment } from "./time.tsx";

export type Tone = "good" | "warn" | "bad" | "idle" | "accent";

const noteIcons: Record<Tone, IconName> = { good: "check", warn: "warn", bad: "warn", idle: "info", accent: "info" };

/** Something to know. `alert` announces it at once. */
export function Note(props: { tone?: Tone; title?: string; alert?: boolean; children?: JSX.Element }): JSX.Element {
  return (
    <div
      class="note"
      data-tone={props.tone ?? "idle"}
      role={props.alert ? "alert" : undefined}
      tabindex={props.alert ? "-1" : undefined}
    >
      <Icon name={noteIcons[props.tone ?? "idle"]} />
      <div class="note-body">
        <Show when={props.title}>
          <p class="note-title">{props.title}</p>
        </Show>
        {props.children}
      </div>
    </div>
  );
}

/** Nothing here yet, why, and what to do next. */
export function Empty(props: {
  icon: IconName;
  title: string;
  text: JSX.Element;
  children?: JSX.Element;
}): JSX.Element {
  return (
    <div class="empty">
      <span class="empty-art">
        <Icon name={props.icon} />
      </span>
      <h2>{props.title}</h2>
      <p>{props.text}</p>
      <Show when={props.children}>
        <div class="row">{props.children}</div>
      </Show>
    </div>
  );
}

/** Loading failed: what happened, and a button that tries again, or where to go when there is no such thing. */
export function Problem(props: {
  error: unknown;
  onRetry?: () => void;
  /** It failed because of its filters, so trying again would not help. */
  onClear?: (() => void) | undefined;
  title?: string;
  list?: { href: string; label: string } | undefined;
}): JSX.Element {
  // A mistyped id is refused as such before anybody looks for it.
  const missing = () => props.error instanceof ApiError && (props.error.status === 404 || props.error.field === "id");
  return (
    <div class="empty" role="alert">
      <span class="empty-art">
        <Icon name={missing() ? "search" : "warn"} />
      </span>
      <h2>{props.title ?? (missing() ? "There is nothing here" : "This could not be loaded")}</h2>
      <p>
        {missing() ? "It was deleted, or it belongs to somebody else." : messageOf(props.error)}
        <Show when={props.error instanceof ApiError && props.error.requestId}>
          {(id) => (
            <span class="small muted">
              {" "}
              Request id <code>{id()}</code>
            </span>
          )}
        </Show>
      </p>
      <div class="row">
        <Show when={missing() && props.list}>
          {(list) => (
            <LinkButton kind="primary" href={list().href}>
              Back to {list().label.toLowerCase()}
            </LinkButton>
          )}
        </Show>
        <Show
          when={props.onClear}
          fallback={
            <Show when={props.onRetry}>
              {(retry) => (
                <Button icon="refresh" onClick={() => retry()()}>
                  Try again
                </Button>
              )}
            </Show>
          }
        >
          {(clear) => <Button onClick={() => clear()()}>Clear the filters</Button>}
        </Show>
      </div>
    </div>
  );
}

/** Less is over before it is read. */
const worthTellingMs = 5_000;

/** A failure in words, with the moment when it may be tried again, and the id that leads the operator to the log. */
export function ProblemNote(props: { error: unknown }): JSX.Element {
  const retryAt = () => {
    const ms = props.error instanceof ApiError ? props.error.retryAtMs : null;
    return ms !== null && ms - Date.now() > worthTellingMs ? ms : null;
  };
  return (
    <Note tone="bad" alert>
      <p>
        {messageOf(props.error)}
        <Show when={retryAt()}>
          {(ms) => (
            <>
              {" "}
              Not before <Moment time={ms()} clock />.
            </>
          )}
        </Show>
      </p>
      <Show when={props.error instanceof ApiError && props.error.requestId}>
        {(id) => (
          <p class="small">
            Request id <code>{id()}</code>
          </p>
        )}
      </Show>
    </Note>
  );
}
