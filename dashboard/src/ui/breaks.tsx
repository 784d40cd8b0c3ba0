// Text whose lines end between its parts, not in the middle of a number or word.

import { For, type JSX } from "solid-js";
import { ShownText } from "./shown-text.tsx";

/** A line may end wherever `at` matches; it has to match the empty string between two characters. */
export function Breaks(props: { text: string; at: RegExp }): JSX.Element {
  return (
    <For each={props.text.split(props.at)}>
      {(part, index) => (
        <>
          {index() > 0 && <wbr />}
          <ShownText text={part} />
        </>
      )}
    </For>
  );
}

/** An IP address or range, which may end a line between its groups. */
export function Address(props: { address: string; strong?: boolean }): JSX.Element {
  return (
    <code class={props.strong ? "strong" : "muted address"}>
      <Breaks text={props.address} at={/(?<=:)(?!:)/} />
    </code>
  );
}
