// A filter of a list with its NOT: one notation for all, `x` or `!x`, as the API and the address have it.

import { Show, type JSX } from "solid-js";
import { Select } from "./field.tsx";

const bareOf = (value: string): string => value.replace(/^!/, "");

/** Wraps a control that chooses the bare value; the button beside it turns what is chosen into what is left out. */
export function Filter(props: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  children: (value: () => string, onValue: (value: string) => void) => JSX.Element;
}): JSX.Element {
  const not = () => props.value.startsWith("!");
  const choose = (value: string) => props.onValue(value !== "" && not() ? `!${value}` : value);
  return (
    <span class="filter" role="group" aria-label={`Filter: ${props.label}`}>
      <Show when={props.value !== ""}>
        <button
          type="button"
          class="filter-not"
          aria-pressed={not()}
          aria-label={`NOT this ${props.label.toLowerCase()}`}
          title={not() ? "Everything but this is shown" : "Show everything but this"}
          onClick={() => props.onValue(not() ? bareOf(props.value) : `!${props.value}`)}
        >
          NOT
        </button>
      </Show>
      {props.children(() => bareOf(props.value), choose)}
    </span>
  );
}

/** A filter by one of a few values; the first option is "any". */
export function FilterSelect(props: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  options: readonly { value: string; label: string }[];
}): JSX.Element {
  return (
    <Filter label={props.label} value={props.value} onValue={props.onValue}>
      {(value, onValue) => <Select label={props.label} value={value()} onValue={onValue} options={props.options} />}
    </Filter>
  );
}
