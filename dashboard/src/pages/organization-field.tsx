// The organization that a new thing belongs to, asked of system admins only.

import type { JSX } from "solid-js";
import * as resources from "../api/resources.ts";
import { useQuery } from "../api/use-query.ts";
import { SelectField } from "../ui/field.tsx";
import type { FieldBinding } from "../ui/form.tsx";

/** `none` names the first choice: nothing chosen. The first 200 organizations are offered. */
export function OrganizationField(props: FieldBinding<string> & { none: string }): JSX.Element {
  const organizations = useQuery(() => resources.organizations({ limit: 200 }));
  const options = () => [
    { value: "", label: props.none },
    ...(organizations.isPending ? [] : (organizations.data?.items ?? [])).map(({ id, name }) => ({
      value: id,
      label: name,
    })),
  ];
  return (
    <SelectField
      label="Organization"
      value={props.value}
      onValue={props.onValue}
      error={props.error}
      options={options()}
    />
  );
}
