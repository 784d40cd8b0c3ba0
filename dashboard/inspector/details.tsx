// One exchange in full, and what can be done with it.

import { createMemo, createResource, createSignal, Match, Show, Switch, type JSX } from "solid-js";
import type { BegunExchange, ChangedRequest, ExchangeDetails, ExchangeSummary } from "../../cli/inspector/types.ts";
import { Button } from "../src/ui/button.tsx";
import { Switch as Toggle } from "../src/ui/choice.tsx";
import { Clip } from "../src/ui/clip.tsx";
import { copy } from "../src/ui/copy.tsx";
import { formatDuration } from "../src/ui/format.ts";
import { Note } from "../src/ui/note.tsx";
import { Fact } from "../src/ui/page.tsx";
import { ShownText } from "../src/ui/shown-text.tsx";
import { Moment } from "../src/ui/time.tsx";
import { attempt, toast } from "../src/ui/toast.tsx";
import * as api from "./api.ts";
import { toCurl, toTest } from "./as-code.ts";
import { bodyFile } from "./bodies.ts";
import { ChangeDialog } from "./change-dialog.tsx";
import { followDetails } from "./follow-details.ts";
import { Difference } from "./difference.tsx";
import { endOf, statusOf, tookOf, toneOf } from "./list.tsx";
import { MessageView } from "./message-view.tsx";
import { SocketView } from "./socket-view.tsx";

/** Where there is no answer, a status is the tunnel's own. */
function troubleOf(one: ExchangeDetails): string {
  const { answer, status } = one;
  const end = endOf(one);
  if (end !== null) return end.replace(/^e/, "E");
  return answer === null && status > 0 ? `Not answered: the visitor got ${status} from the tunnel` : "Ended early";
}

export function Details(props: {
  exchange: ExchangeSummary;
  /** The one that it repeats, where that is still kept. */
  before: ExchangeSummary | undefined;
  onChoose: (id: number | null) => void;
  /** Takes the exchange that sending it again has begun. */
  onSent: (sent: BegunExchange) => void;
}): JSX.Element {
  const [withSecrets, setWithSecrets] = createSignal(false);
  const [isChanging, setChanging] = createSignal(false);
  const [isSending, setSending] = createSignal(false);
  const id = createMemo(() => props.exchange.id);
  const { shown, error } = followDetails(() => props.exchange, withSecrets);
  const [before] = createResource(
    () => (props.before?.totalMs == null ? false : props.before.id),
    (wanted) => api.details(wanted, false),
  );
  // Whose it was stays while another is loaded, and where there is none.
  const compared = () => {
    const one = before.error === undefined ? before() : undefined;
    return one?.id === props.exchange.repeats?.id ? one?.answer : undefined;
  };
  const isSocket = (): boolean => props.exchange.status === 101;
  const send = async (changed: ChangedRequest | null): Promise<void> => {
    setSending(true);
    try {
      props.onSent(await api.repeat(id(), changed));
      setChanging(false);
    } finally {
      setSending(false);
    }
  };
  const copyAs = async (what: string, text: string): Promise<void> => {
    const file = bodyFile(id(), "request");
    const help = text.includes(file) ? ` Save the request's body beside it, as ${file}.` : "";
    if (await copy(text, what)) toast(`The ${what} is copied.${help}`);
  };

  return (
    <Switch fallback={<p class="inspector-hint muted">Loading…</p>}>
      <Match when={shown() === undefined && error()}>
        {(cause) => (
          <Note tone="bad" title="This could not be loaded">
            <p>{cause().message}</p>
          </Note>
        )}
      </Match>
      <Match when={shown()}>
        {(one) => (
          <div class="stack-loose">
            <div class="stack">
              <div class="row inspector-back">
                <Button kind="ghost" small onClick={() => props.onChoose(null)}>
                  ← All exchanges
                </Button>
              </div>
              <h2 class="inspector-title">
                <span class="status" data-tone={toneOf(one())}>
                  {statusOf(one())}
                </span>
                <span>
                  <span class="method">{one().method}</span>{" "}
                  <code>
                    <Clip text={one().path} limit={300} />
                  </code>
                </span>
              </h2>
              <div class="row">
                <Button
                  kind="primary"
                  icon="refresh"
                  busy={isSending()}
                  disabled={one().notRepeatable !== null}
                  aria-describedby={one().notRepeatable === null ? undefined : "not-repeatable"}
                  onClick={() => void attempt(() => send(null))}
                >
                  Send again
                </Button>
                <Button icon="edit" disabled={isSocket()} onClick={() => setChanging(true)}>
                  Change and send
                </Button>
                <Button icon="copy" disabled={isSocket()} onClick={() => void copyAs("curl command", toCurl(one()))}>
                  Copy as curl
                </Button>
                <Button
                  icon="copy"
                  disabled={one().answer === null || isSocket()}
                  onClick={() => void copyAs("test", toTest(one()))}
                >
                  Copy as test
                </Button>
              </div>
              <Show when={one().notRepeatable}>
                {(why) => (
                  <p class="small muted" id="not-repeatable">
                    It can't be sent again. {why()}
                  </p>
                )}
              </Show>
              <Show when={one().error}>
                {(error) => (
                  <Note tone={one().cancelled ? "idle" : "bad"} title={troubleOf(one())}>
                    <p>
                      <ShownText text={error()} />
                    </p>
                  </Note>
                )}
              </Show>
              <dl class="facts">
                <Fact name="Time">
                  <Moment time={one().startedAt} clock />
                </Fact>
                <Fact name="Until the answer">
                  {one().headMs === null ? <span class="muted">none</span> : formatDuration(one().headMs!)}
                </Fact>
                <Fact name="In all">
                  <span class={one().totalMs === null ? "muted" : undefined}>{tookOf(one())}</span>
                </Fact>
                <Fact name="Local service">
                  <Clip text={one().local} limit={60} />
                </Fact>
                <Fact name="Came by">
                  <Show
                    when={one().repeats}
                    fallback={<Clip text={one().url.replace(/^https?:\/\//, "")} limit={60} href={one().url} away />}
                  >
                    {(repeats) => (
                      <button type="button" class="more" onClick={() => props.onChoose(repeats().id)}>
                        {repeats().changed ? "#" : "again #"}
                        {repeats().id}
                        {repeats().changed ? ", changed" : ""}
                      </button>
                    )}
                  </Show>
                </Fact>
              </dl>
              <Toggle label="Show what is hidden in heads" checked={withSecrets()} onChecked={setWithSecrets} />
            </div>
            <Show when={one().socket}>
              {(socket) => <SocketView socket={socket()} isOpen={one().totalMs === null} />}
            </Show>
            <Show when={one().repeats !== null && one().totalMs !== null && compared() && one().answer}>
              <section class="stack-tight">
                <h3>Compared with the answer of #{one().repeats!.id}</h3>
                <Difference before={compared()!} after={one().answer!} />
              </section>
            </Show>
            <Show
              when={one().answer}
              fallback={
                <p class="muted">There is no answer of the local service{one().totalMs === null ? " yet" : ""}.</p>
              }
            >
              {(answer) => (
                <MessageView title="Answer" id={one().id} which="answer" message={answer()} isSocket={isSocket()} />
              )}
            </Show>
            <MessageView title="Request" id={one().id} which="request" message={one().request} isSocket={isSocket()} />
            <Show when={isChanging()}>
              <ChangeDialog id={one().id} onSend={send} onClose={() => setChanging(false)} />
            </Show>
          </div>
        )}
      </Match>
    </Switch>
  );
}
