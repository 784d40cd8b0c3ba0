// Yes/no and one-of-few inputs.

import { createUniqueId, For, Show, type JSX } from "solid-js";
import { FieldError } from "./field.tsx";

/** A box to tick, with an explanation below its label. */
export function CheckBox(props: {
  label: string;
  hint?: JSX.Element;
  checked: boolean;
  onChecked: (checked: boolean) => void;
  disabled?: boolean;
}): JSX.Element {
  const id = createUniqueId();
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={props.checked}
        disabled={props.disabled}
        aria-describedby={props.hint ? id : undefined}
        onChange={(event) => props.onChecked(event.currentTarget.checked)}
      />
      <span class="check-label">{props.label}</span>
      <Show when={props.hint}>
        <span class="field-hint" id={id}>
          {props.hint}
        </span>
      </Show>
    </label>
  );
}

/** A setting that acts at once. */
export function Switch(props: {
  label: string;
  checked: boolean;
  onChecked: (checked: boolean) => void;
  disabled?: boolean;
}): JSX.Element {
  return (
    <label class="switch">
      <input
        type="checkbox"
        role="switch"
        checked={props.checked}
        disabled={props.disabled}
        onChange={(event) => props.onChecked(event.currentTarget.checked)}
      />
      {props.label}
    </label>
  );
}

export interface Option<T extends string> {
  value: T;
  label: string;
  hint?: string;
}

/** One of a few, each with its meaning spelled out. */
export function ChoiceCards<T extends string>(props: {
  legend: string;
  hideLegend?: boolean;
  options: readonly Option<T>[];
  value: T;
  onValue: (value: T) => void;
  error?: string | null | undefined;
  disabled?: boolean;
}): JSX.Element {
  const name = createUniqueId();
  return (
    <fieldset class="stack-tight" disabled={props.disabled}>
      <legend class={props.hideLegend ? "visually-hidden" : "field-label"}>{props.legend}</legend>
      <div class="choices">
        <For each={props.options}>
          {(option) => (
            <label class="choice">
              <input
                type="radio"
                name={name}
                value={option.value}
                checked={props.value === option.value}
                onChange={() => props.onValue(option.value)}
              />
              <span class="choice-label">{option.label}</span>
              <Show when={option.hint}>
                <span class="choice-hint">{option.hint}</span>
              </Show>
            </label>
          )}
        </For>
      </div>
      <FieldError id={`${name}-error`} error={props.error} />
    </fieldset>
  );
}

/** A row of buttons of which one is on. */
export function Segmented<T extends string>(props: {
  label: string;
  options: readonly Option<T>[];
  value: T;
  onValue: (value: T) => void;
}): JSX.Element {
  return (
    <div class="segmented" role="group" aria-label={props.label}>
      <For each={props.options}>
        {(option) => (
          <button
            type="button"
            aria-pressed={props.value === option.value}
            title={option.hint}
            onClick={() => props.onValue(option.value)}
          >
            {option.label}
          </button>
        )}
      </For>
    </div>
  );
}
