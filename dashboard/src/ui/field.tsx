// One labelled input: label, hint and error tied together for screen readers.

import { createUniqueId, Show, splitProps, type JSX } from "solid-js";
import { Icon } from "./icon.tsx";

export interface FieldFrame {
  label: string;
  hint?: JSX.Element;
  error?: string | null | undefined;
  optional?: boolean;
}

interface Wired {
  id: string;
  describedBy: () => string | undefined;
  invalid: () => "true" | undefined;
}

/** The frame around an input; `children` gets the ids to wire up. */
export function Field(props: FieldFrame & { children: (wired: Wired) => JSX.Element }): JSX.Element {
  const id = createUniqueId();
  /** Nothing is said twice. */
  const hint = () => (props.hint === props.error ? undefined : props.hint);
  const describedBy = () => {
    const ids = [props.error ? `${id}-error` : "", hint() ? `${id}-hint` : ""].filter(Boolean);
    return ids.length === 0 ? undefined : ids.join(" ");
  };
  return (
    <div class="field">
      <label class="field-label" for={id}>
        {props.label} <Show when={props.optional}>{<span class="field-optional">(optional)</span>}</Show>
      </label>
      {props.children({ id, describedBy, invalid: () => (props.error ? "true" : undefined) })}
      <FieldError id={`${id}-error`} error={props.error} />
      <Show when={hint()}>
        <p class="field-hint" id={`${id}-hint`}>
          {hint()}
        </p>
      </Show>
    </div>
  );
}

/** What is wrong with one field. */
export function FieldError(props: { id: string; error: string | null | undefined }): JSX.Element {
  return (
    <Show when={props.error}>
      <p class="field-error" id={props.id}>
        <Icon name="warn" small />
        <span>{props.error}</span>
      </p>
    </Show>
  );
}

const frameKeys = ["label", "hint", "error", "optional"] as const;

type TextProps = FieldFrame & {
  value: string;
  onValue: (value: string) => void;
  mono?: boolean;
  code?: boolean;
  /** Fixed text after the input, for example `.example.com`. */
  suffix?: string | undefined;
} & Omit<JSX.InputHTMLAttributes<HTMLInputElement>, "value" | "onInput">;

/** A line of text. */
export function TextField(props: TextProps): JSX.Element {
  const [frame, own, rest] = splitProps(props, frameKeys, ["value", "onValue", "mono", "code", "suffix"]);
  return (
    <Field {...frame}>
      {(wired) => {
        const input = (
          <input
            type="text"
            autocomplete="off"
            spellcheck={false}
            {...rest}
            id={wired.id}
            class={`input${own.mono ? " input-mono" : ""}${own.code ? " input-code" : ""}`}
            value={own.value}
            aria-describedby={wired.describedBy()}
            aria-invalid={wired.invalid()}
            onInput={(event) => own.onValue(event.currentTarget.value)}
          />
        );
        return (
          <Show when={own.suffix} fallback={input}>
            <span class="affix">
              {input}
              <span class="affix-text">{own.suffix}</span>
            </span>
          </Show>
        );
      }}
    </Field>
  );
}

type SelectProps = FieldFrame & {
  value: string;
  onValue: (value: string) => void;
  options: readonly { value: string; label: string }[];
  disabled?: boolean;
};

/** One of a few values. */
export function SelectField(props: SelectProps): JSX.Element {
  const [frame] = splitProps(props, frameKeys);
  return (
    <Field {...frame}>
      {(wired) => (
        <Select
          id={wired.id}
          value={props.value}
          onValue={props.onValue}
          options={props.options}
          disabled={props.disabled ?? false}
          describedBy={wired.describedBy()}
          invalid={wired.invalid()}
        />
      )}
    </Field>
  );
}

/** A native select in our clothes; without a visible label give it `label`. */
export function Select(props: {
  value: string;
  onValue: (value: string) => void;
  options: readonly { value: string; label: string }[];
  id?: string;
  label?: string;
  disabled?: boolean;
  describedBy?: string | undefined;
  invalid?: "true" | undefined;
}): JSX.Element {
  return (
    <span class="select">
      <select
        class="input"
        id={props.id}
        aria-label={props.label}
        aria-describedby={props.describedBy}
        aria-invalid={props.invalid}
        disabled={props.disabled}
        onChange={(event) => props.onValue(event.currentTarget.value)}
      >
        {props.options.map((option) => (
          <option value={option.value} selected={option.value === props.value}>
            {option.label}
          </option>
        ))}
      </select>
      <Icon name="chevron" small />
    </span>
  );
}
