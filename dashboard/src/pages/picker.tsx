// Choosing an organization, an application or an account among any number of them.

import { keepPreviousData } from "@tanstack/solid-query";
import { createSignal, onCleanup, type JSX } from "solid-js";
import { messageOf, type Page, type Query } from "../api/client.ts";
import { still } from "../api/query-client.ts";
import * as resources from "../api/resources.ts";
import type { Account, Application, Organization } from "../api/types.ts";
import { useQuery } from "../api/use-query.ts";
import { Combobox, type ComboboxOption } from "../ui/combobox.tsx";

export type PickerKind = "organizations" | "applications" | "accounts";

/** So many are asked for, to say how many more there are than are shown. */
const asked = 100;
const shown = 50;

/** How each kind is listed, found by its id, and shown. */
const kinds = {
  organizations: {
    list: (query: Query) => resources.organizations({ ...query, sort: "name" }),
    one: resources.organization,
    option: ({ id, name }: Organization): ComboboxOption => ({ value: id, label: name }),
  },
  applications: {
    list: (query: Query) => resources.applications({ ...query, sort: "subdomain" }),
    one: resources.application,
    option: ({ id, subdomain, name }: Application): ComboboxOption => ({
      value: id,
      label: subdomain,
      hint: name === subdomain ? undefined : name,
    }),
  },
  accounts: {
    list: (query: Query) => resources.accounts({ ...query, sort: "username" }),
    one: resources.account,
    option: ({ id, username, orgName }: Account): ComboboxOption => ({
      value: id,
      label: username,
      hint: orgName ?? undefined,
    }),
  },
};

interface Kind<T> {
  list: (query: Query) => ReturnType<typeof resources.organizations>;
  one: (id: string) => ReturnType<typeof resources.organization>;
  option: (one: T) => ComboboxOption;
}

/** How many more there are than are shown. */
function noteOf({ items, nextCursor }: Page<unknown>, typed: string): string | null {
  if (items.length === 0) return typed === "" ? "There are none yet." : `None begins with “${typed}”.`;
  const more = items.length - shown;
  if (more <= 0) return null;
  return `${nextCursor === null ? more : `More than ${more}`} more: type how it begins.`;
}

/** `value` is an id; `none` is what no choice is called. Applications may be narrowed to those of `org`. */
export function Picker(props: {
  kind: PickerKind;
  value: string;
  onValue: (id: string, name: string) => void;
  none: string;
  org?: string | undefined;
  id?: string;
  label?: string;
  /** An id or name that none of those listed has may be typed: what is gone still stands in records. */
  takesTyped?: boolean;
  disabled?: boolean;
  describedBy?: string | undefined;
  invalid?: "true" | undefined;
}): JSX.Element {
  const [typed, setTyped] = createSignal("");
  const [opened, setOpened] = createSignal(false);
  const [picked, setPicked] = createSignal<ComboboxOption>({ value: "", label: "" });
  // Each kind's three functions fit each other.
  const kind = kinds[props.kind] as unknown as Kind<unknown>;
  let timer: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => clearTimeout(timer));
  const found = useQuery(() => ({
    ...kind.list({ limit: asked, q: typed(), org: props.org }),
    placeholderData: keepPreviousData,
    enabled: opened(),
    meta: still,
    staleTime: 0,
    refetchOnWindowFocus: false,
  }));
  const items = () => (found.isPending ? [] : ((found.data?.items ?? []) as unknown[]).slice(0, shown));
  const listed = () => items().map(kind.option);
  const chosen = () => [...listed(), picked()].find(({ value }) => value === props.value);
  // A value from a link, or beyond what is listed, has its name asked for.
  const one = useQuery(() => ({ ...kind.one(props.value), enabled: props.value !== "" && !chosen() }));
  const text = () => {
    if (props.value === "") return "";
    const named = chosen() ?? (!one.isPending && one.data ? kind.option(one.data) : undefined);
    return named?.value === props.value ? named.label : one.isError ? props.value : "";
  };
  const note = () => {
    if (found.isError) return `${messageOf(found.error)} Type to try again.`;
    return found.isPending || found.data === undefined ? "Loading…" : noteOf(found.data, typed());
  };
  return (
    <Combobox
      value={props.value}
      text={text()}
      none={props.none}
      options={listed()}
      answered={found.isPending || found.isPlaceholderData ? null : typed()}
      note={note()}
      onType={(next) => {
        clearTimeout(timer);
        if (next === "") setTyped("");
        else timer = setTimeout(() => setTyped(next), 150);
      }}
      onValue={(value, label) => {
        setPicked({ value, label });
        props.onValue(value, label);
      }}
      onOpen={() => {
        if (opened()) void found.refetch();
        else setOpened(true);
      }}
      takesTyped={props.takesTyped ?? false}
      {...(props.id === undefined ? {} : { id: props.id })}
      {...(props.label === undefined ? {} : { label: props.label })}
      disabled={props.disabled ?? false}
      describedBy={props.describedBy}
      invalid={props.invalid}
    />
  );
}
