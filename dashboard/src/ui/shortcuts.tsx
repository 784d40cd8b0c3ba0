// Keys that work everywhere, and the sheet that lists them.

import { useNavigate } from "@solidjs/router";
import { createSignal, For, onCleanup, Show, type JSX } from "solid-js";
import { Dialog } from "./dialog.tsx";

const [open, setOpen] = createSignal(false);
export const showShortcuts = (): void => void setOpen(true);

const places: Record<string, { path: string; label: string }> = {
  o: { path: "/dashboard/overview", label: "Overview" },
  t: { path: "/dashboard/tunnels", label: "Tunnels" },
  r: { path: "/dashboard/requests", label: "Requests" },
  a: { path: "/dashboard/applications", label: "Applications" },
  l: { path: "/dashboard/audit", label: "Audit log" },
  m: { path: "/dashboard/me", label: "My account" },
};

/** Mounted once inside the router. */
export function Shortcuts(): JSX.Element {
  const navigate = useNavigate();
  let afterG = false;
  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target;
    const typing =
      target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null)
      return;
    if (event.key === "/") {
      const search = document.querySelector<HTMLInputElement>("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    } else if (event.key === "?") {
      event.preventDefault();
      setOpen(true);
    } else if (event.key === "g") {
      afterG = true;
      setTimeout(() => {
        afterG = false;
      }, 1_200);
    } else if (afterG) {
      afterG = false;
      const place = places[event.key];
      if (place) navigate(place.path);
    }
  };
  document.addEventListener("keydown", onKeyDown);
  onCleanup(() => document.removeEventListener("keydown", onKeyDown));

  return (
    <Show when={open()}>
      <Dialog title="Keyboard shortcuts" onClose={() => setOpen(false)}>
        <dl class="shortcuts">
          <Row keys={["/"]} text="Search or filter the list" />
          <Row keys={["Esc"]} text="Close a dialog, clear the search" />
          <Row keys={["?"]} text="This list" />
          <Row keys={["Space"]} text="Pause or follow, on live pages" />
          <For each={Object.entries(places)}>
            {([key, place]) => <Row keys={["g", key]} text={`Go to: ${place.label}`} />}
          </For>
        </dl>
      </Dialog>
    </Show>
  );
}

function Row(props: { keys: string[]; text: string }): JSX.Element {
  return (
    <>
      <dt>
        <For each={props.keys}>{(key) => <kbd>{key}</kbd>}</For>
      </dt>
      <dd>{props.text}</dd>
    </>
  );
}
