// Copying, commands to paste, and long values.

import { createSignal, For, type JSX } from "solid-js";
import { IconButton } from "./button.tsx";
import { toast } from "./toast.tsx";

/** Copies text; without clipboard permission it says so instead of pretending. */
export async function copy(text: string, what: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Plain http on another machine has no clipboard: the text is selectable.
    toast(`The browser does not allow copying here. Select the ${what} and copy it by hand.`, "bad");
    return false;
  }
}

/** A small button that copies; `what` completes "Copy …". */
export function CopyButton(props: { text: string; what: string }): JSX.Element {
  const [copied, setCopied] = createSignal(false);
  const run = async () => {
    if (await copy(props.text, props.what)) {
      setCopied(true);
      setTimeout(() => setCopied(false), 1_500);
    }
  };
  return (
    <>
      <IconButton
        small
        icon={copied() ? "check" : "copy"}
        label={copied() ? "Copied" : `Copy ${props.what}`}
        onClick={() => void run()}
      />
      <span class="visually-hidden" role="status">
        {copied() ? "Copied" : ""}
      </span>
    </>
  );
}

/** A command to paste into a shell; its lines end between its words, not behind the hyphens of an option. */
export function Command(props: { text: string }): JSX.Element {
  return (
    <div class="command">
      <code>
        <For each={props.text.split(" ")}>
          {(word, index) => (
            <>
              {index() > 0 && " "}
              <span>{word}</span>
            </>
          )}
        </For>
      </code>
      <CopyButton text={props.text} what="command" />
    </div>
  );
}
