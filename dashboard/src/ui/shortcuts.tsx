// Keys that work everywhere or on the page at hand, and the sheet that lists them.

import { useNavigate } from "@solidjs/router";
import { createSignal, For, onCleanup, onMount, Show, type JSX } from "solid-js";
import { Dialog } from "./dialog.tsx";

const [open, setOpen] = createSignal(false);
export const showShortcuts = (): void => void setOpen(true);

/** A key of a page. */
export interface Shortcut {
  key: string;
  /** What stands on the key. */
  shown: string;
  text: string;
  run: () => unknown;
}
const [ofPage, setOfPage] = createSignal<readonly Shortcut[]>([]);

/** The key works, and is listed, while the calling component is on screen. */
export function useShortcut(shortcut: Shortcut): void {
  onMount(() => setOfPage((all) => [...all, shortcut]));
  onCleanup(() => setOfPage((all) => all.filter((one) => one !== shortcut)));
}

/** A place to go to; `key` comes after g. */
export interface Place {
  key: string;
  path: string;
  label: string;
}

const searchField = (): HTMLInputElement | null => document.querySelector("[data-search]");
const inField = (target: EventTarget | null, selector: string): boolean =>
  target instanceof HTMLElement && target.closest(selector) !== null;

/** Mounted once inside the router. `places`: where this account may go. */
export function Shortcuts(props: { places: readonly Place[] }): JSX.Element {
  const navigate = useNavigate();
  let afterG = false;
  const onKeyDown = (event: KeyboardEvent) => {
    const typing = inField(event.target, "input, textarea, select, [contenteditable]");
    const isOrder = event.ctrlKey || event.metaKey || event.altKey;
    if (typing || isOrder || document.querySelector("dialog[open]") !== null) return;
    // The space bar presses what has the focus.
    const shortcut = inField(event.target, "button, a, summary")
      ? undefined
      : ofPage().find(({ key }) => key === event.key);
    if (shortcut !== undefined) {
      event.preventDefault();
      shortcut.run();
    } else if (event.key === "/") {
      const search = searchField();
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
      const place = props.places.find(({ key }) => key === event.key);
      if (place) navigate(place.path);
    }
  };
  document.addEventListener("keydown", onKeyDown);
  onCleanup(() => document.removeEventListener("keydown", onKeyDown));

  return (
    <Show when={open()}>
      <Dialog title="Keyboard shortcuts" onClose={() => setOpen(false)}>
        <dl class="shortcuts">
          <Show when={searchField()}>
            <Row keys={["/"]} text="Search or filter the list" />
            <Row keys={["Esc"]} text="Close a dialog, clear the search" />
          </Show>
          <Show when={!searchField()}>
            <Row keys={["Esc"]} text="Close a dialog" />
          </Show>
          <For each={ofPage()}>{({ shown, text }) => <Row keys={[shown]} text={text} />}</For>
          <Row keys={["?"]} text="This list" />
          <For each={props.places}>{({ key, label }) => <Row keys={["g", key]} text={`Go to: ${label}`} />}</For>
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
