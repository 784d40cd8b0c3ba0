// The organization that a new thing belongs to, asked of system admins only.

import type { JSX } from "solid-js";
import type { FieldBinding } from "../ui/form.tsx";
import { PickerField } from "./picker-field.tsx";

/** `none` names the first choice: nothing chosen. */
export function OrganizationField(
  props: FieldBinding<string> & { none: string; onNamed?: (name: string) => void },
): JSX.Element {
  return <PickerField label="Organization" kind="organizations" {...props} />;
}
