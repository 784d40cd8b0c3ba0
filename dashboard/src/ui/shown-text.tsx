// Text of somebody else, in which nothing stays unseen: what has no shape, or turns the order of letters round, stands as its escape.

import { createMemo, For, Show, type JSX } from "solid-js";
import { piecesOf } from "./unseen.ts";

/** What is selected and copied of it is the text as it is: the escape is only painted before the character, which turns nothing outside its box. */
export function ShownText(props: { text: string }): JSX.Element {
  const pieces = createMemo(() => piecesOf(props.text));
  return (
    <For each={pieces()}>
      {({ text, escape }) => (
        <Show when={escape} fallback={text}>
          {(shown) => (
            <span class="unseen" data-escape={shown()}>
              {text}
            </span>
          )}
        </Show>
      )}
    </For>
  );
}
