// The focus does not fall back to the top of the page when what had it goes away: what stands in its place gets it.

import { onCleanup } from "solid-js";

/** No field to type in: on a phone it would bring up the keyboard. */
const takers = "a[href], button:not([disabled]), input[type=checkbox]:not([disabled])";
const takes = (one: Element | undefined): one is HTMLElement =>
  one instanceof HTMLElement && one.matches(takers) && one.checkVisibility();

interface Place {
  parent: Element;
  at: number;
}

/** Where something stands: its place in its parent, that one's in its own, and so on. */
function placesOf(element: Element): Place[] {
  const places: Place[] = [];
  for (let one = element; one.parentElement !== null; one = one.parentElement) {
    places.push({ parent: one.parentElement, at: [...one.parentElement.children].indexOf(one) });
  }
  return places;
}

/** What takes the focus at a place: the same button of the next row, or what comes after, or before. `below`: the way down. */
function takerAt({ parent, at }: Place, below: readonly Place[]): HTMLElement | undefined {
  const same = below.reduceRight((one: Element | undefined, place) => one?.children[place.at], parent.children[at]);
  const around = [...parent.children];
  const others = [...around.slice(at), ...around.slice(0, at).toReversed()];
  return [same, ...others.flatMap((one) => [one, ...one.querySelectorAll(takers)])].find(takes);
}

/** Watches over what is inside of `root` for the life of the calling component; `root` itself takes what nothing else can. */
export function keepFocus(root: HTMLElement): void {
  let last: Element | null = null;
  let places: Place[] = [];
  root.addEventListener("focusin", ({ target }) => {
    last = target instanceof Element ? target : null;
    places = last === null ? [] : placesOf(last);
  });
  const watcher = new MutationObserver(() => {
    if (last === null || last.isConnected) return;
    last = null;
    if (document.activeElement !== document.body) return;
    const found = places
      .map((place, index) => ({ place, below: places.slice(0, index) }))
      .filter(({ place }) => root.contains(place.parent))
      .map(({ place, below }) => takerAt(place, below))
      .find((one) => one !== undefined);
    (found ?? root).focus({ preventScroll: true });
  });
  watcher.observe(root, { childList: true, subtree: true });
  onCleanup(() => watcher.disconnect());
}
