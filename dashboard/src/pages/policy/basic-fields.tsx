// The parts of a policy that ask for a username and password, and how long a visitor stays logged in.

import type { JSX } from "solid-js";
import type { Policy } from "../../api/types.ts";
import { TextField } from "../../ui/field.tsx";
import type { FormState } from "../../ui/form.tsx";
import type { PolicyValues } from "./policy-form.ts";

export function BasicFields(props: { form: FormState<PolicyValues>; stored: Policy | null }): JSX.Element {
  const { form } = props;
  return (
    <div class="grid-fields">
      <TextField label="Username for visitors" autocapitalize="none" {...form.field("basicUsername")} />
      <TextField
        label="Password for visitors"
        type="password"
        autocomplete="new-password"
        hint={props.stored?.hasBasicPassword ? "Leave it empty to keep the stored one." : undefined}
        {...form.field("basicPassword")}
      />
    </div>
  );
}

export function SessionField(props: { form: FormState<PolicyValues> }): JSX.Element {
  const { form } = props;
  return (
    <div class="grid-fields">
      <TextField label="Visitors stay logged in for (hours)" inputmode="numeric" {...form.field("sessionHours")} />
    </div>
  );
}
