// What hangs from a button or field, in the top layer, goes along with it when something scrolls.

import { createEffect, onCleanup, untrack, type Accessor } from "solid-js";

/** Calls `place` as soon as it is open and whenever, while it is, anything on the page scrolls or the window changes. */
export function keepPlaced(isOpen: Accessor<boolean>, place: () => void): void {
  createEffect(() => {
    if (!isOpen()) return;
    // What has scrolled since it opened.
    untrack(place);
    // Whatever scrolls: only on its way down to it a scroll is heard of here.
    addEventListener("scroll", place, { capture: true, passive: true });
    addEventListener("resize", place);
    onCleanup(() => {
      removeEventListener("scroll", place, { capture: true });
      removeEventListener("resize", place);
    });
  });
}
