// The parts of a form: text as text, and of what is none the first bytes.

import { For, Show, type JSX } from "solid-js";
import type { Part } from "../../cli/inspector/types.ts";
import { Clip } from "../src/ui/clip.tsx";
import { formatBytes } from "../src/ui/format.ts";
import { hexLines, prettyBody } from "./bodies.ts";

/** So many characters of a part stand on the page at first. */
const shownAtFirst = 2_000;

function howMuch({ bytes, isCut, hex }: Part): string {
  const shown = hex === null ? bytes : hex.length / 2;
  const first = shown < bytes ? `, the first ${formatBytes(shown)} shown` : "";
  return `${formatBytes(bytes)}${isCut ? ", not all of it" : ""}${first}`;
}

const prettyText = ({ text, type }: Part): string =>
  prettyBody(text ?? "", [{ name: "content-type", value: type ?? "", hidden: false }]);

export function PartsView(props: { title: string; parts: Part[] }): JSX.Element {
  return (
    <ul class="parts" aria-label={`Parts of the ${props.title.toLowerCase()}'s body`}>
      <For each={props.parts}>
        {(part) => (
          <li class="stack-tight">
            <p>
              <code>
                <Clip text={part.name} limit={100} />
              </code>
              <span class="small muted">
                <Show when={part.filename !== null}>
                  {" · "}
                  <Clip text={part.filename || "no file chosen"} limit={100} />
                </Show>
                <Show when={part.type !== null}>
                  {" · "}
                  <Clip text={part.type!} limit={100} />
                </Show>
                {" · "}
                {howMuch(part)}
              </span>
            </p>
            <Show when={part.bytes > 0}>
              <pre class="code-block body" tabindex="0" role="region" aria-label={`Part ${part.name}`}>
                <Show when={part.hex} fallback={<Clip text={prettyText(part)} limit={shownAtFirst} />}>
                  {(hex) => hexLines(hex())}
                </Show>
              </pre>
            </Show>
          </li>
        )}
      </For>
    </ul>
  );
}
