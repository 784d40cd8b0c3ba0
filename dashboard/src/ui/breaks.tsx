// Text whose lines end between its parts, not in the middle of a number or word.

import { For, type JSX } from "solid-js";

/** A line may end wherever `at` matches; it has to match the empty string between two characters. */
export function Breaks(props: { text: string; at: RegExp }): JSX.Element {
  return (
    <For each={props.text.split(props.at)}>
      {(part, index) => (
        <>
          {index() > 0 && <wbr />}
          {part}
        </>
      )}
    </For>
  );
}

/** An IP address, which may end a line between its groups. */
export function Address(props: { address: string }): JSX.Element {
  return (
    <code class="muted address">
      <Breaks text={props.address} at={/(?<=:)(?!:)/} />
    </code>
  );
}
