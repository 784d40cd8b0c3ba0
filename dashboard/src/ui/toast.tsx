// Short reports in the corner: what just worked, or why it did not.

import { createEffect, createSignal, For, type JSX } from "solid-js";
import { messageOf } from "../api/client.ts";
import { IconButton } from "./button.tsx";

interface Toast {
  id: number;
  text: string;
  tone: "good" | "bad";
}

const [toasts, setToasts] = createSignal<Toast[]>([]);
let nextId = 1;

const dismiss = (id: number) => setToasts((all) => all.filter((one) => one.id !== id));

/** The last few; what is said again stands once. */
const show = (next: Toast) => setToasts((all) => [...all.filter(({ text }) => text !== next.text).slice(-3), next]);

/** Reports something that worked, and leaves by itself; or (`bad`) a failure, which stays until it is closed. */
export function toast(text: string, tone: Toast["tone"] = "good"): void {
  const id = nextId++;
  show({ id, text, tone });
  if (tone === "good") setTimeout(() => dismiss(id), 6_000);
}

/** Runs a small action that has no form of its own, and reports either way. */
export async function attempt(action: () => Promise<unknown>, done?: string): Promise<void> {
  try {
    await action();
    if (done !== undefined) toast(done);
  } catch (error) {
    toast(messageOf(error), "bad");
  }
}

/**
 * Shows the reports while `here`: on the page, or in the topmost dialog, as all outside of that is inert: not to be clicked,
 * nor told by a screen reader. A popover, so that it stands above everything.
 */
export function ToastHost(props: { here: boolean }): JSX.Element {
  let host!: HTMLDivElement;
  const shown = () => (props.here ? toasts() : []);
  createEffect(() => {
    const any = shown().length > 0;
    if (host.matches(":popover-open")) host.hidePopover();
    // Shown anew each time: the newest thing in the top layer wins over a menu opened meanwhile.
    if (any) host.showPopover();
  });
  return (
    <div ref={host} class="toasts" popover="manual" role="status" aria-live="polite">
      <For each={shown()}>
        {(one) => (
          <div class="toast" data-tone={one.tone}>
            <span class="toast-text">{one.text}</span>
            <IconButton icon="close" small label="Dismiss" onClick={() => dismiss(one.id)} />
          </div>
        )}
      </For>
    </div>
  );
}
