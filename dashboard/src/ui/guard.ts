// Asks before a page is left with something on it that would be lost.

import { useBeforeLeave } from "@solidjs/router";
import { onCleanup } from "solid-js";
import { confirm } from "./confirm.tsx";

let gone = false;

/** Leaves the page of a thing that was deleted: what was changed on it can't be saved any more. */
export function leaveGone(navigate: () => void): void {
  gone = true;
  navigate();
  gone = false;
}

/** Asks before a page is left that would lose something, in the dashboard and by the browser. Call it in its component. */
export function guardUnsaved(dirty: () => boolean, lost = "What you changed on this page is lost."): void {
  useBeforeLeave((leaving) => {
    const stays =
      typeof leaving.to === "string" && new URL(leaving.to, location.href).pathname === leaving.from.pathname;
    if (gone || !dirty() || leaving.defaultPrevented || stays) return;
    leaving.preventDefault();
    confirm({
      title: "Leave without saving?",
      consequence: lost,
      action: "Leave",
      run: () => Promise.resolve(),
      after: () => leaving.retry(true),
    });
  });
  const onUnload = (event: BeforeUnloadEvent) => {
    if (dirty()) event.preventDefault();
  };
  addEventListener("beforeunload", onUnload);
  onCleanup(() => removeEventListener("beforeunload", onUnload));
}
