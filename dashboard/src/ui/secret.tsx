// Secrets: masked until asked for, with copy. What is shown only once stays until somebody says that it is saved.

import { createSignal, For, Show, type JSX } from "solid-js";
import { Button, IconButton } from "./button.tsx";
import { CheckBox } from "./choice.tsx";
import { copy, CopyButton } from "./copy.tsx";
import { guardUnsaved } from "./guard.ts";
import { Note } from "./note.tsx";
import { toast } from "./toast.tsx";

/** The kind of a token stays to be read, and how recovery codes are grouped; a token's own "-" is part of the secret. */
function maskOf(line: string): string {
  const kind = /^dl[tk]_/.exec(line)?.[0] ?? "";
  const hidden = kind === "" ? /[^\s-]/g : /./g;
  return kind + line.slice(kind.length, kind.length + 20).replaceAll(hidden, "•");
}

/** One secret. `what` completes "Show the …". */
export function Secret(props: { value: string; what: string }): JSX.Element {
  const [shown, setShown] = createSignal(false);
  return (
    <div class="secret">
      <code class="break" data-secret="">
        {shown() ? props.value : maskOf(props.value)}
      </code>
      <IconButton
        small
        icon={shown() ? "eyeOff" : "eye"}
        label={`${shown() ? "Hide" : "Show"} the ${props.what}`}
        onClick={() => setShown(!shown())}
      />
      <CopyButton text={props.value} what={props.what} />
    </div>
  );
}

/** Several secrets of one kind: as a list, to be copied, saved as a file or printed. */
function SecretList(props: { values: string[]; what: string }): JSX.Element {
  const [shown, setShown] = createSignal(false);
  const text = () => props.values.join("\n");
  const save = () => {
    const url = URL.createObjectURL(new Blob([`${text()}\n`], { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `digit-link-${props.what.replaceAll(" ", "-")}.txt`;
    link.click();
    URL.revokeObjectURL(url);
  };
  const print = () => {
    setShown(true);
    window.print();
  };
  return (
    <>
      <ul class="codes" data-secret="" data-title={`digit-link at ${location.host}: ${props.what}`}>
        <For each={props.values}>{(value) => <li>{shown() ? value : maskOf(value)}</li>}</For>
      </ul>
      <div class="row">
        <Button small icon={shown() ? "eyeOff" : "eye"} onClick={() => setShown(!shown())}>
          {shown() ? "Hide" : "Show"}
        </Button>
        <Button small icon="copy" onClick={() => void copy(text(), props.what).then((ok) => ok && toast("Copied."))}>
          Copy all
        </Button>
        <Button small icon="download" onClick={save}>
          Save as a file
        </Button>
        <Button small icon="print" onClick={print}>
          Print
        </Button>
      </div>
    </>
  );
}

export interface ShownOnce {
  secret: string | string[];
  /** What it is: "API token", "recovery codes". */
  what: string;
  /** Why it is not shown again, or what it is for. */
  note?: JSX.Element;
  /** What is reported when it is kept; over the secret it would be in the way. */
  report?: string;
}

/** A secret that will never be shown again. `onKept` runs when somebody has said that it is saved, not before. */
export function SecretOnce(props: ShownOnce & { more?: JSX.Element; done?: string; onKept: () => void }): JSX.Element {
  const [kept, setKept] = createSignal(false);
  guardUnsaved(() => !kept(), `The ${props.what} will not be shown again.`);
  return (
    <div class="stack">
      <Note tone="warn" title={`Save the ${props.what} now`}>
        <p>{props.note ?? "It is stored only as a hash, so it can't be shown again."}</p>
      </Note>
      <Show
        when={typeof props.secret === "string" ? props.secret : null}
        fallback={<SecretList values={[props.secret].flat()} what={props.what} />}
      >
        {(value) => <Secret value={value()} what={props.what} />}
      </Show>
      {props.more}
      <CheckBox label={`I have saved the ${props.what}`} checked={kept()} onChecked={setKept} />
      <div class="form-actions">
        <Button
          kind="primary"
          disabled={!kept()}
          onClick={() => {
            if (props.report !== undefined) toast(props.report);
            props.onKept();
          }}
        >
          {props.done ?? "Done"}
        </Button>
      </div>
    </div>
  );
}
