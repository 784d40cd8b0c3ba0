// A value that may be long: what is cut says how much, and a button (Esc takes it back) shows all of it.

import { createSignal, Show, type JSX } from "solid-js";
import { Breaks } from "./breaks.tsx";

/** As long as the button that would stand for it: nothing is gained by cutting so little. */
const notWorthCutting = 12;
/** Half a port reads like another one. */
const beforePort = /(?=:\d{1,5}(?:\/|$))/;

/** `href` makes the text a link; `away` opens it in a tab of its own. `limit` counts characters. */
export function Clip(props: { text: string; limit?: number; href?: string; away?: boolean }): JSX.Element {
  const [open, setOpen] = createSignal(false);
  const characters = () => Array.from(props.text);
  const limit = () => props.limit ?? 32;
  const cut = () => Math.max(0, characters().length - limit());
  const isCut = () => cut() > notWorthCutting;
  const shown = () => (isCut() && !open() ? `${characters().slice(0, limit()).join("")}…` : props.text);
  const lines = () => <Breaks text={shown()} at={beforePort} />;
  return (
    <span
      class="clip"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !open()) return;
        event.stopPropagation();
        event.preventDefault();
        setOpen(false);
      }}
    >
      <Show when={props.href} fallback={lines()}>
        {(href) => (
          <a href={href()} target={props.away ? "_blank" : undefined} rel={props.away ? "noreferrer" : undefined}>
            {lines()}
          </a>
        )}
      </Show>
      <Show when={isCut()}>
        {" "}
        <button
          type="button"
          class="more"
          aria-expanded={open()}
          onClick={(event) => {
            // Of this value, not of the row that it stands in.
            event.stopPropagation();
            setOpen(!open());
          }}
        >
          {open() ? "show less" : `+${cut()} characters`}
        </button>
      </Show>
    </span>
  );
}
