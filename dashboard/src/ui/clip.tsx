// A text on one line: what does not fit is cut with an ellipsis, and the whole stands in its title.

import type { JSX } from "solid-js";

export function Clip(props: { text: string }): JSX.Element {
  return (
    <span class="clip" title={props.text}>
      {props.text}
    </span>
  );
}
