// The search field of a list: waits for a pause in typing, and `/` brings the focus here.

import { createEffect, createSignal, on, onCleanup, type JSX } from "solid-js";
import { Icon } from "./icon.tsx";

/** `onSearch` is called when typing pauses, and at once on Enter. */
export function Search(props: {
  label: string;
  value: string;
  onSearch: (value: string) => void;
  placeholder?: string;
  wide?: boolean;
  describedBy?: string;
  invalid?: boolean;
}): JSX.Element {
  const [text, setText] = createSignal(props.value);
  let timer: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => clearTimeout(timer));
  let asked = props.value;
  const search = () => {
    clearTimeout(timer);
    asked = text().trim();
    props.onSearch(asked);
  };
  // Back and forward change the value from outside. What was asked from here stands in the field, perhaps with more behind it.
  createEffect(
    on(
      () => props.value,
      (value) => {
        if (value === asked) return;
        asked = value;
        clearTimeout(timer);
        setText(value);
      },
      { defer: true },
    ),
  );
  const later = (value: string) => {
    setText(value);
    clearTimeout(timer);
    timer = setTimeout(search, 250);
  };
  return (
    <div class={props.wide ? "search search-wide" : "search"}>
      <Icon name="search" small />
      <input
        type="search"
        class="input"
        data-search=""
        aria-label={props.label}
        aria-describedby={props.describedBy}
        aria-invalid={props.invalid ? "true" : undefined}
        placeholder={props.placeholder ?? props.label}
        autocomplete="off"
        spellcheck={false}
        value={text()}
        onInput={(event) => later(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") search();
          else if (event.key === "Escape" && text() !== "") {
            event.stopPropagation();
            setText("");
            search();
          }
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </div>
  );
}
