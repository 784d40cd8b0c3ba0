// The organization or application that a new thing belongs to, as a field of a form.

import { splitProps, type JSX } from "solid-js";
import { Field, type FieldFrame } from "../ui/field.tsx";
import type { FieldBinding } from "../ui/form.tsx";
import { Picker } from "./picker.tsx";

/** `none` names the first choice: nothing chosen. */
export function PickerField(
  props: FieldBinding<string> &
    FieldFrame & {
      kind: "organizations" | "applications";
      none: string;
      org?: string | undefined;
      disabled?: boolean;
      /** Told what the chosen one is called, before `onValue`. */
      onNamed?: (name: string) => void;
    },
): JSX.Element {
  const [frame] = splitProps(props, ["label", "hint", "error", "optional"]);
  return (
    <Field {...frame}>
      {(wired) => (
        <Picker
          kind={props.kind}
          id={wired.id}
          none={props.none}
          value={props.value}
          onValue={(id, name) => {
            props.onNamed?.(name);
            props.onValue(id);
          }}
          org={props.org}
          disabled={props.disabled ?? false}
          describedBy={wired.describedBy()}
          invalid={wired.invalid()}
        />
      )}
    </Field>
  );
}
