// Whether the reader is in a list, which stands still meanwhile: points at it, has the focus in it, has scrolled down it, or has a
// dialog before it.

import { createSignal, onCleanup, type Accessor } from "solid-js";
import { isDialogOpen } from "./dialog.tsx";

/** `watch` takes the element around the list. A finger is no pointer that rests somewhere: for touch only scrolling counts. */
export function createReading(): { reading: Accessor<boolean>; watch: (element: HTMLElement) => void } {
  const [pointed, setPointed] = createSignal(false);
  const [focused, setFocused] = createSignal(false);
  const [scrolled, setScrolled] = createSignal(false);
  const watch = (element: HTMLElement) => {
    element.addEventListener("pointerenter", (event) => setPointed(event.pointerType !== "touch"));
    element.addEventListener("pointerleave", () => setPointed(false));
    element.addEventListener("focusin", () => setFocused(true));
    element.addEventListener("focusout", () => setFocused(false));
    const onScroll = () => setScrolled(element.getBoundingClientRect().top < 0);
    document.addEventListener("scroll", onScroll, { capture: true, passive: true });
    onCleanup(() => {
      document.removeEventListener("scroll", onScroll, { capture: true });
      for (const set of [setPointed, setFocused, setScrolled]) set(false);
    });
  };
  return { reading: () => pointed() || focused() || scrolled() || isDialogOpen(), watch };
}
