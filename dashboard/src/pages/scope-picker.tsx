// Narrowing a list to one organization, application or account, or to all but that.

import type { JSX } from "solid-js";
import { Filter } from "../ui/filter.tsx";
import { Picker, type PickerKind } from "./picker.tsx";

const labels: Record<PickerKind, string> = {
  organizations: "Organization",
  applications: "Application",
  accounts: "Account",
};

/** `value` is an id, or `!` and an id. */
export function ScopePicker(props: {
  kind: PickerKind;
  value: string;
  onValue: (value: string) => void;
  /** Applications of this organization only. */
  org?: string;
  label?: string;
  takesTyped?: boolean;
}): JSX.Element {
  const label = props.label ?? labels[props.kind];
  return (
    <Filter label={label} value={props.value} onValue={props.onValue}>
      {(value, onValue) => (
        <Picker
          kind={props.kind}
          label={label}
          none={`Any ${label.toLowerCase()}`}
          value={value()}
          onValue={onValue}
          takesTyped={props.takesTyped ?? false}
          {...(props.org === undefined ? {} : { org: props.org })}
        />
      )}
    </Filter>
  );
}
