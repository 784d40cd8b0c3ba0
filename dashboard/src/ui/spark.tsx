// A small line of the last values, newest at the right; decoration beside a number that is written out.

import { Show, type JSX } from "solid-js";

/** `slots` values fill the width; fewer stand at the right, a handful is no line yet. */
export function Spark(props: { values: number[]; slots: number }): JSX.Element {
  const line = () => {
    const top = Math.max(1, ...props.values);
    const first = props.slots - props.values.length;
    return props.values
      .map((value, index) => `${index === 0 ? "M" : "L"}${first + index} ${(30 - (value / top) * 28).toFixed(1)}`)
      .join("");
  };
  return (
    <Show when={props.values.length > 5}>
      <dd class="spark" aria-hidden="true">
        <svg viewBox={`0 0 ${props.slots - 1} 32`} preserveAspectRatio="none">
          <path class="spark-area" d={`${line()}V32H${props.slots - props.values.length}Z`} />
          <path class="spark-line" d={line()} />
        </svg>
      </dd>
    </Show>
  );
}
