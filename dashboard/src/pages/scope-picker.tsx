// Narrowing a list to one organization or application.

import type { JSX } from "solid-js";
import * as resources from "../api/resources.ts";
import { useQuery } from "../api/use-query.ts";
import { Select } from "../ui/field.tsx";

/** The first 200 are offered; a value that is not among them (from a link) stays selectable by its id. */
export function ScopePicker(props: {
  kind: "organizations" | "applications";
  value: string;
  onValue: (id: string) => void;
}): JSX.Element {
  const organizations = useQuery(() => ({
    ...resources.organizations({ limit: 200 }),
    enabled: props.kind === "organizations",
  }));
  const applications = useQuery(() => ({
    ...resources.applications({ limit: 200 }),
    enabled: props.kind === "applications",
  }));
  const known = (): { value: string; label: string }[] => {
    if (props.kind === "organizations") {
      return organizations.isPending
        ? []
        : (organizations.data?.items ?? []).map((one) => ({ value: one.id, label: one.name }));
    }
    return applications.isPending
      ? []
      : (applications.data?.items ?? []).map((one) => ({ value: one.id, label: one.subdomain }));
  };
  const options = () => {
    const all = [
      { value: "", label: props.kind === "organizations" ? "Any organization" : "Any application" },
      ...known(),
    ];
    return props.value === "" || all.some((one) => one.value === props.value)
      ? all
      : [...all, { value: props.value, label: props.value }];
  };
  return (
    <Select
      label={props.kind === "organizations" ? "Organization" : "Application"}
      value={props.value}
      onValue={props.onValue}
      options={options()}
    />
  );
}
