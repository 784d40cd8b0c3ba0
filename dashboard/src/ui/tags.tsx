// A list of short values typed one after the other: scopes, domains, address ranges.

import { createSignal, For, type JSX } from "solid-js";
import { Field, type FieldFrame } from "./field.tsx";
import { Icon } from "./icon.tsx";

/** Enter, comma, space and leaving the field add what was typed; Backspace in the empty field takes the last one out. */
export function TagsField(
  props: FieldFrame & {
    values: string[];
    onValues: (values: string[]) => void;
    placeholder?: string;
    disabled?: boolean;
  },
): JSX.Element {
  const [text, setText] = createSignal("");
  let input!: HTMLInputElement;
  const add = () => {
    const words = text()
      .split(/[\s,]+/)
      .filter((word) => word !== "" && !props.values.includes(word));
    if (words.length > 0) props.onValues([...props.values, ...words]);
    setText("");
  };
  const remove = (value: string) => props.onValues(props.values.filter((one) => one !== value));
  return (
    <Field label={props.label} hint={props.hint} error={props.error} optional={props.optional ?? false}>
      {(wired) => (
        <div class="tags" data-invalid={wired.invalid()}>
          <For each={props.values}>
            {(value) => (
              <span class="tag">
                {value}
                <button
                  type="button"
                  aria-label={`Remove ${value}`}
                  disabled={props.disabled}
                  onClick={(event) => {
                    remove(value);
                    // By keyboard: a finger would bring up the one on the screen.
                    if (event.detail === 0 && props.values.length === 0) input.focus();
                  }}
                >
                  <Icon name="close" small />
                </button>
              </span>
            )}
          </For>
          <input
            ref={input}
            id={wired.id}
            value={text()}
            spellcheck={false}
            autocomplete="off"
            disabled={props.disabled}
            placeholder={props.values.length === 0 ? props.placeholder : undefined}
            aria-describedby={wired.describedBy()}
            aria-invalid={wired.invalid()}
            onInput={(event) => setText(event.currentTarget.value)}
            onBlur={add}
            onKeyDown={(event) => {
              const last = props.values.at(-1);
              if (["Enter", ",", " "].includes(event.key) && text().trim() !== "") {
                event.preventDefault();
                add();
              } else if (event.key === "Backspace" && text() === "" && last !== undefined) {
                remove(last);
              }
            }}
          />
        </div>
      )}
    </Field>
  );
}
