// A head and a body as they are read.

import { createEffect, createMemo, createSignal, For, on, Show, type JSX } from "solid-js";
import type { Body, Message } from "../../cli/inspector/types.ts";
import { Button } from "../src/ui/button.tsx";
import { Clip } from "../src/ui/clip.tsx";
import { CopyButton } from "../src/ui/copy.tsx";
import { formatBytes } from "../src/ui/format.ts";
import { ShownText } from "../src/ui/shown-text.tsx";
import { attempt } from "../src/ui/toast.tsx";
import * as api from "./api.ts";
import { bodyFile, hexLines, prettyBody } from "./bodies.ts";
import { PartsView } from "./parts-view.tsx";

/** So many characters of a body stand on the page at first. */
const shownAtFirst = 20_000;

function howMuch({ bytes, kept, hex }: Body): string {
  if (kept === 0) return ", not kept";
  const parts = kept === bytes ? "" : `, of which the first ${formatBytes(kept)} are kept`;
  const shown = hex === null ? kept : hex.length / 2;
  return shown < kept ? `${parts}, the first ${formatBytes(shown)} shown` : parts;
}

export function MessageView(props: {
  title: string;
  id: number;
  which: "request" | "answer";
  message: Message;
  /** What follows the head is told elsewhere. */
  isSocket: boolean;
}): JSX.Element {
  const [all, setAll] = createSignal(false);
  const body = () => props.message.body;
  createEffect(on([() => props.id], () => setAll(false)));
  const pretty = createMemo(() => {
    const { text, hex } = body();
    return text === null ? hexLines(hex ?? "") : prettyBody(text, props.message.fields);
  });
  const cut = () => (all() ? 0 : Math.max(0, pretty().length - shownAtFirst));
  const save = async (): Promise<void> => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await api.body(props.id, props.which));
    link.download = bodyFile(props.id, props.which);
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <section class="stack-tight">
      <h3>{props.title}</h3>
      <p class="message-line">
        <code>
          <Clip text={props.message.line} limit={400} />
        </code>
      </p>
      <dl class="headers">
        <For each={props.message.fields}>
          {(field) => (
            <div>
              <dt>{field.name}</dt>
              <dd class={field.hidden ? "muted" : undefined}>
                <Clip text={field.value} limit={300} />
              </dd>
            </div>
          )}
        </For>
      </dl>
      <Show
        when={body().bytes > 0 && !props.isSocket}
        fallback={!props.isSocket && <p class="small muted">No body.</p>}
      >
        <div class="row row-between">
          <p class="small muted">
            {formatBytes(body().bytes)}
            {howMuch(body())}
            {body().note === null ? "" : `, ${body().note}`}
          </p>
          <Show when={body().kept > 0}>
            <div class="row">
              <Show when={body().text !== null}>
                <CopyButton text={body().text!} what="body" />
              </Show>
              <Button small icon="download" onClick={() => void attempt(save)}>
                Save
              </Button>
            </div>
          </Show>
        </div>
        <Show when={body().parts}>{(parts) => <PartsView title={props.title} parts={parts()} />}</Show>
        <Show when={body().kept > 0 && body().parts === null}>
          <pre class="code-block body" tabindex="0" role="region" aria-label={`${props.title}'s body`}>
            <ShownText text={pretty().slice(0, pretty().length - cut())} />
          </pre>
          <Show when={cut() > 0}>
            <div>
              <Button small onClick={() => setAll(true)}>
                Show the other {cut().toLocaleString("en")} characters
              </Button>
            </div>
          </Show>
        </Show>
      </Show>
    </section>
  );
}
