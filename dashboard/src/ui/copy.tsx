// Copying, secrets that are shown once, and commands to paste.

import { createSignal, Show, type JSX } from "solid-js";
import { Button, IconButton } from "./button.tsx";
import { Note } from "./note.tsx";
import { toast } from "./toast.tsx";

/** Copies text; without clipboard permission it says so instead of pretending. */
async function copy(text: string, what: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Plain http on another machine has no clipboard: the text is selectable.
    toast(`The browser does not allow copying here. Select the ${what} and copy it by hand.`);
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

/** A secret that will never be shown again: masked until asked for, with copy. */
export function SecretOnce(props: { secret: string; what: string; note?: JSX.Element }): JSX.Element {
  const [shown, setShown] = createSignal(false);
  const masked = () => `${props.secret.slice(0, 4)}${"•".repeat(20)}`;
  return (
    <div class="stack-tight">
      <Note tone="warn" title={`Copy the ${props.what} now`}>
        <p>{props.note ?? "It is stored only as a hash, so it can't be shown again."}</p>
      </Note>
      <div class="secret">
        <code class="break" data-secret="">
          {shown() ? props.secret : masked()}
        </code>
        <IconButton
          small
          icon={shown() ? "eyeOff" : "eye"}
          label={shown() ? `Hide the ${props.what}` : `Show the ${props.what}`}
          onClick={() => setShown(!shown())}
        />
        <CopyButton text={props.secret} what={props.what} />
      </div>
    </div>
  );
}

/** A command to paste into a shell. */
export function Command(props: { text: string }): JSX.Element {
  return (
    <div class="command">
      <code>{props.text}</code>
      <CopyButton text={props.text} what="command" />
    </div>
  );
}

/** Recovery codes: shown once, copied or saved as a file. */
export function RecoveryCodes(props: { codes: string[] }): JSX.Element {
  const text = () => props.codes.join("\n");
  const save = () => {
    const url = URL.createObjectURL(new Blob([`${text()}\n`], { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = "digit-link-recovery-codes.txt";
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <div class="stack-tight">
      <Note tone="warn" title="Keep these recovery codes">
        <p>Each logs you in once when your authenticator is out of reach. They are not shown again.</p>
      </Note>
      <ul class="codes">
        {props.codes.map((code) => (
          <li>{code}</li>
        ))}
      </ul>
      <div class="row">
        <Button small icon="download" onClick={save}>
          Save as a file
        </Button>
        <Button small icon="copy" onClick={() => void copy(text(), "codes").then((ok) => ok && toast("Copied."))}>
          Copy all
        </Button>
      </div>
    </div>
  );
}

/** A long value that is cut says how much, and shows all on request. */
export function LongText(props: { text: string; limit: number }): JSX.Element {
  const [all, setAll] = createSignal(false);
  return (
    <Show when={props.text.length > props.limit} fallback={props.text}>
      {all() ? props.text : `${props.text.slice(0, props.limit)}…`}{" "}
      <button type="button" class="more" onClick={() => setAll(!all())}>
        {all() ? "show less" : `${props.text.length - props.limit} more characters`}
      </button>
    </Show>
  );
}
