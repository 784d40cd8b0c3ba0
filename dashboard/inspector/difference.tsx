// What an answer has that the one before had not, line by line.

import { createMemo, For, Show, type JSX } from "solid-js";
import type { Message } from "../../cli/inspector/types.ts";
import { Note } from "../src/ui/note.tsx";
import { ShownText } from "../src/ui/shown-text.tsx";
import { differenceOf } from "./difference-lines.ts";

export function Difference(props: { before: Message; after: Message }): JSX.Element {
  const lines = createMemo(() => differenceOf(props.before, props.after));
  return (
    <Show when={lines()} fallback={<Note>They are no text, or too long, and were not compared.</Note>}>
      {(all) => (
        <Show
          when={all().some(({ sign }) => sign === "+" || sign === "-")}
          fallback={<Note tone="good" title="The same answer as before" />}
        >
          <div class="code-block diff" role="region" aria-label="Difference" tabindex="0">
            <For each={all()}>
              {({ sign, text }) => (
                <div data-sign={sign}>
                  <span class="sign" aria-hidden="true">
                    {sign}
                  </span>
                  <Show when={sign === "+" || sign === "-"}>
                    <span class="visually-hidden">{sign === "+" ? "now:" : "before:"} </span>
                  </Show>
                  <ShownText text={text} />
                </div>
              )}
            </For>
          </div>
        </Show>
      )}
    </Show>
  );
}
