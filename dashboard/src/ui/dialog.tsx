// Modal dialogs and drawers on the browser's own <dialog>: focus stays inside, Esc closes, focus returns.

import { createSignal, createUniqueId, onCleanup, onMount, type JSX } from "solid-js";
import { IconButton } from "./button.tsx";
import { ToastHost } from "./toast.tsx";

/** By the ids of their titles, the topmost last. */
const [opened, setOpened] = createSignal<readonly string[]>([]);
/** Some dialog is up: what is behind it nobody can look after. */
export const isDialogOpen = (): boolean => opened().length > 0;

/**
 * Shown while it is mounted; wrap it in <Show>. `onClose` is called for Esc, the cross and a click beside it; with
 * `locked` only its own buttons close it.
 */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  wide?: boolean;
  drawer?: boolean;
  locked?: boolean;
  children: JSX.Element;
}): JSX.Element {
  const titleId = createUniqueId();
  let element!: HTMLDialogElement;
  let pressedOutside = false;
  let leaving = false;
  const before = document.activeElement;

  onMount(() => {
    setOpened((all) => [...all, titleId]);
    element.showModal();
    element.querySelector<HTMLElement>("[autofocus], [data-autofocus]")?.focus();
  });
  onCleanup(() => {
    leaving = true;
    element.close();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
    // Not before: who is back in a list reads it.
    setOpened((all) => all.filter((one) => one !== titleId));
  });

  const outside = (event: MouseEvent) => {
    const box = element.getBoundingClientRect();
    const inside =
      event.clientX >= box.left &&
      event.clientX <= box.right &&
      event.clientY >= box.top &&
      event.clientY <= box.bottom;
    return event.target === element && !inside;
  };

  return (
    <dialog
      ref={element}
      class={`dialog${props.wide ? " dialog-wide" : ""}${props.drawer ? " drawer" : ""}`}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        if (!props.locked) props.onClose();
      }}
      onKeyDown={(event) => {
        // A browser closes even what cancels that, when Esc is pressed again and again.
        if (props.locked && event.key === "Escape") event.preventDefault();
      }}
      onClose={() => {
        if (leaving) return;
        if (props.locked) element.showModal();
        else props.onClose();
      }}
      onMouseDown={(event) => {
        pressedOutside = outside(event);
      }}
      onClick={(event) => {
        // A text selection that ends outside must not lose a form.
        if (!props.locked && pressedOutside && outside(event)) props.onClose();
      }}
    >
      <div class="dialog-head">
        <h2 id={titleId}>{props.title}</h2>
        {props.locked ? null : <IconButton icon="close" small label="Close" onClick={() => props.onClose()} />}
      </div>
      <div class="dialog-body">{props.children}</div>
      <ToastHost here={opened().at(-1) === titleId} />
    </dialog>
  );
}
