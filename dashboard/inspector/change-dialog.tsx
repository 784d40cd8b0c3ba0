// A request in other words: head and body to be edited, and sent in its place.

import { createEffect, createResource, createSignal, Show, type JSX } from "solid-js";
import type { ChangedRequest, Message } from "../../cli/inspector/types.ts";
import { Button } from "../src/ui/button.tsx";
import { Dialog } from "../src/ui/dialog.tsx";
import { Field } from "../src/ui/field.tsx";
import { Note } from "../src/ui/note.tsx";
import { unseenIn } from "../src/ui/unseen.ts";
import * as api from "./api.ts";
import { isAsSent, withLineEnds } from "./bodies.ts";

/** The length is the inspector's to set. */
const setAnew = /^(?:content-length|transfer-encoding)$/i;

export function ChangeDialog(props: {
  id: number;
  onSend: (changed: ChangedRequest) => Promise<void>;
  onClose: () => void;
}): JSX.Element {
  const [details] = createResource(
    () => props.id,
    (id) => api.details(id, true),
  );
  const [head, setHead] = createSignal("");
  const [body, setBody] = createSignal("");
  const recorded = () => {
    const request = details.error === undefined ? details()?.request : undefined;
    return request !== undefined && isAsSent(request.body) ? request.body.text : "";
  };
  const [error, setError] = createSignal<string | null>(null);
  const [busy, setBusy] = createSignal(false);
  createEffect(() => {
    const request = details.error === undefined ? details()?.request : undefined;
    if (request === undefined) return;
    setHead(headOf(request));
    setBody(recorded());
  });
  const send = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await props.onSend({ head: head(), body: body() });
    } catch (cause) {
      setError((cause as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title="Change and send" wide onClose={props.onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy() && !details.loading) void send();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit();
        }}
      >
        <Field
          label="Request line and fields"
          hint={hintOf("One to a line. The length of the body is set for you.", head())}
          error={error() ?? (details.error as Error | undefined)?.message}
        >
          {(wired) => (
            <textarea
              id={wired.id}
              aria-describedby={wired.describedBy()}
              aria-invalid={wired.invalid()}
              class="input mono"
              rows={Math.min(16, head().split("\n").length + 1)}
              spellcheck={false}
              autofocus
              // What comes would take the place of what was typed.
              readOnly={details.loading}
              value={head()}
              onInput={(event) => setHead(event.currentTarget.value)}
            />
          )}
        </Field>
        <Show when={details.error === undefined && details() && !isAsSent(details()!.request.body)}>
          <Note tone="warn">
            <p>Its body is no text, is encoded, or was not kept whole: it would be sent without it.</p>
          </Note>
        </Show>
        <Field
          label="Body"
          hint={hintOf(recorded().includes("\r\n") ? "Its lines end with CRLF, and will." : "", body())}
        >
          {(wired) => (
            <textarea
              id={wired.id}
              aria-describedby={wired.describedBy()}
              aria-invalid={wired.invalid()}
              class="input mono"
              rows={8}
              spellcheck={false}
              readOnly={details.loading}
              value={body()}
              onInput={(event) => setBody(withLineEnds(event.currentTarget.value, recorded()))}
            />
          )}
        </Field>
        <div class="row row-end">
          <Button onClick={() => props.onClose()}>Cancel</Button>
          <Button kind="primary" type="submit" busy={busy()} disabled={details.loading}>
            Send
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** A text area shows nothing of what can't be seen. */
function hintOf(hint: string, text: string): string | undefined {
  const unseen = unseenIn(text);
  const warning = unseen.length === 0 ? "" : `It holds, and sends, what can't be seen: ${unseen.join(" ")}`;
  return [hint, warning].filter(Boolean).join(" ") || undefined;
}

function headOf({ line, fields }: Message): string {
  const kept = fields.filter(({ name }) => !setAnew.test(name));
  return [line, ...kept.map(({ name, value }) => `${name}: ${value}`)].join("\n");
}
