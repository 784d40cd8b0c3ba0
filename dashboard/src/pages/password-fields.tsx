// Passwords as they are asked for everywhere: the present one, and a new one twice.

import type { JSX } from "solid-js";
import { TextField } from "../ui/field.tsx";
import type { FieldBinding } from "../ui/form.tsx";

/** What is wrong with a new password before the server judges it, by field. */
export function checkNewPassword(password: string, repeated: string, field = "newPassword"): Record<string, string> {
  return {
    ...(password.length < 10 ? { [field]: "At least 10 characters." } : {}),
    ...(password === repeated ? {} : { repeated: "The two passwords differ." }),
  };
}

type Props = FieldBinding<string> & {
  label?: string;
  hint?: string;
  optional?: boolean;
  autofocus?: boolean;
  "data-autofocus"?: string;
};

export function CurrentPassword(props: Props): JSX.Element {
  return <TextField label="Current password" type="password" autocomplete="current-password" {...props} />;
}

export function NewPassword(props: Props): JSX.Element {
  return (
    <TextField
      label="New password"
      hint="At least 10 characters."
      {...props}
      type="password"
      autocomplete="new-password"
    />
  );
}
