// One question before anything is destroyed: says what will happen, asks once, reports.

import { createSignal, Show, type JSX } from "solid-js";
import { Dynamic } from "solid-js/web";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";

import { TextField } from "./field.tsx";
import { ProblemNote } from "./note.tsx";
import { toast } from "./toast.tsx";

export interface Question {
  title: string;
  /** What will happen, in full sentences; a component where some of it has yet to be asked. */
  consequence: string | (() => JSX.Element);
  /** The verb on the button. */
  action: string;
  /** What is reported when it worked; nothing when the page itself shows it. */
  done?: string;
  run: () => Promise<unknown>;
  /** To be typed before the button works; for what can't be undone. */
  typeName?: string;
  /** It takes nothing away from anybody: the button is not red. */
  harmless?: boolean;
  after?: () => void;
  /** Runs instead of all that when somebody would rather not. */
  declined?: () => void;
}

const [question, setQuestion] = createSignal<Question | null>(null);

/** Asks; the dialog runs the action itself, stays open meanwhile, and with the reason when it fails. */
export function confirm(ask: Question): void {
  setQuestion(ask);
}

/** What a form asks before it sends: the form itself sends and reports. */
export type Agreement = Pick<Question, "title" | "consequence" | "action" | "harmless">;

/** Asks only; resolves whether to go on. */
export function agree(ask: Agreement): Promise<boolean> {
  return new Promise((resolve) =>
    confirm({ ...ask, run: () => Promise.resolve(resolve(true)), declined: () => resolve(false) }),
  );
}

/** Mounted once, around all pages. */
export function ConfirmHost(): JSX.Element {
  return <Show when={question()}>{(current) => <ConfirmDialog question={current()} />}</Show>;
}

function ConfirmDialog(props: { question: Question }): JSX.Element {
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal<unknown>(null);
  const [typed, setTyped] = createSignal("");
  const ready = () => props.question.typeName === undefined || typed() === props.question.typeName;

  const consequence = () => {
    const said = props.question.consequence;
    return typeof said === "string" ? <p>{said}</p> : <Dynamic component={said} />;
  };

  const run = async () => {
    if (busy() || !ready()) return;
    setBusy(true);
    setProblem(null);
    const asked = props.question;
    try {
      await asked.run();
      setQuestion(null);
      if (asked.done !== undefined) toast(asked.done);
      asked.after?.();
    } catch (error) {
      setProblem(() => error);
      setBusy(false);
    }
  };

  const decline = () => {
    const asked = props.question;
    setQuestion(null);
    asked.declined?.();
  };

  return (
    <Dialog title={props.question.title} locked={busy()} onClose={decline}>
      <div class="stack-tight">{consequence()}</div>
      <Show when={props.question.typeName}>
        {(name) => (
          <TextField label={`Type "${name()}" to confirm`} value={typed()} onValue={setTyped} data-autofocus="" />
        )}
      </Show>
      <Show when={problem()}>{(error) => <ProblemNote error={error()} />}</Show>
      <div class="form-actions">
        <Button disabled={busy()} onClick={decline} data-autofocus={props.question.typeName ? undefined : ""}>
          Cancel
        </Button>
        <Button
          kind={props.question.harmless ? "primary" : "danger-solid"}
          busy={busy()}
          disabled={!ready()}
          onClick={() => void run()}
        >
          {props.question.action}
        </Button>
      </div>
    </Dialog>
  );
}
