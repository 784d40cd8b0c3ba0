// A form that keeps what was typed, shows the server's refusal at the field it names, and never submits twice.

import { createComputed, createSignal, on, Show, untrack, type Accessor, type JSX } from "solid-js";
import { createStore, reconcile, unwrap } from "solid-js/store";
import { ApiError, messageOf } from "../api/client.ts";
import { Button, type ButtonKind } from "./button.tsx";
import { agree, type Agreement } from "./confirm.tsx";
import { guardUnsaved } from "./guard.ts";
import { ProblemNote } from "./note.tsx";

/** A copy of its own, free of the store's proxies (which can't be cloned). */
const plain = <T extends object>(values: T): T => structuredClone(unwrap(values));

/** The sentence as it stands below its field, whose name in the API nobody has seen. */
function aboutField(error: unknown): string {
  const message = messageOf(error);
  const name = error instanceof ApiError && error.field !== null ? `${error.field} ` : "";
  return name !== "" && message.startsWith(name) ? `This ${message.slice(name.length)}` : message;
}

/** What an input of a form needs; reading it follows the form. */
export interface FieldBinding<V> {
  readonly value: V;
  readonly error: string | null;
  onValue: (value: V) => void;
}

export interface FormState<T extends object> {
  values: T;
  set: <K extends keyof T>(key: K, value: T[K]) => void;
  /** What is wrong with this field, as the server or `check` said. */
  error: (key: keyof T & string) => string | null;
  /** Ties an input to a field: `<TextField label="Name" {...form.field("name")} />`. */
  field: <K extends keyof T & string>(key: K) => FieldBinding<T[K]>;
  /** What is wrong with the form as a whole. */
  problem: Accessor<unknown>;
  busy: Accessor<boolean>;
  dirty: Accessor<boolean>;
  submit: (event?: Event) => void;
  /** What is stored now; what was typed on while it was being sent stays. */
  reset: (values: T) => void;
}

/**
 * State of one form. `initial` as a function is followed, but for what is changed here: what somebody else stores meanwhile
 * is neither hidden nor undone by a form that was filled before. `check` may refuse before anything is sent (a field -> sentence map);
 * `ask` may want consent to what will happen; `submit` sends, all of it or what was `changed`. A refusal that names a field is
 * shown there, any other as the form's problem.
 */
export function createForm<T extends object>(options: {
  initial: T | (() => T);
  check?: (values: T) => Partial<Record<keyof T & string, string>>;
  ask?: (values: T, changed: Partial<T>) => Agreement | null;
  submit: (values: T, changed: Partial<T>) => Promise<unknown>;
  /** Refusals that name no field and belong to one all the same: code -> field. */
  codes?: Partial<Record<string, keyof T & string>>;
}): FormState<T> {
  const follows = typeof options.initial === "function";
  const stored = (): T => (follows ? (options.initial as () => T)() : (options.initial as T));
  const [values, setValues] = createStore<T>(plain(untrack(stored)));
  const [errors, setErrors] = createSignal<Partial<Record<string, string>>>({});
  const [problem, setProblem] = createSignal<unknown>(null);
  const [busy, setBusy] = createSignal(false);
  /** Fields that somebody changed since they were stored; while they are being sent, since then. */
  const [touched, setTouched] = createSignal<ReadonlySet<keyof T>>(new Set());
  const [sent, setSent] = createSignal<ReadonlySet<keyof T>>(new Set());
  const dirty = () => touched().size + sent().size > 0;
  let form: HTMLFormElement | null = null;
  /** What was stored while this was being sent: maybe this, maybe what was there before. */
  let missed: T | null = null;
  /** Fields that show what is wrong with them; a refusal of any other is the form's, or nobody would read it. */
  const told = new Set<string>();

  /** Dotted paths (`oidcScopes.0`) belong to the field that they start with. */
  const fieldOf = (error: ApiError) => error.field?.split(/[./]/).find(Boolean) ?? options.codes?.[error.code];

  const focusFirstError = () =>
    queueMicrotask(() => form?.querySelector<HTMLElement>('[aria-invalid="true"], [role="alert"]')?.focus());

  const send = async () => {
    setProblem(null);
    const found = options.check?.(values) ?? {};
    setErrors(found);
    if (Object.keys(found).length > 0) {
      focusFirstError();
      return;
    }
    const question = options.ask?.(plain(values), only(touched())) ?? null;
    if (question !== null && !(await agree(question))) return;
    setBusy(true);
    setSent(touched());
    setTouched(new Set<keyof T>());
    missed = null;
    try {
      await options.submit(plain(values), only(sent()));
    } catch (error) {
      setTouched(new Set([...sent(), ...touched()]));
      const field = error instanceof ApiError ? fieldOf(error) : undefined;
      if (field !== undefined && told.has(field)) setErrors({ [field]: aboutField(error) });
      else setProblem(() => error);
      focusFirstError();
    } finally {
      setSent(new Set<keyof T>());
      setBusy(false);
      if (missed !== null) follow(missed);
    }
  };

  const set: FormState<T>["set"] = (key, value) => {
    setTouched((before) => new Set(before).add(key));
    setErrors((old) => ({ ...old, [key]: undefined }));
    setValues((old) => ({ ...old, [key]: value }));
  };
  const only = (keys: ReadonlySet<keyof T>): Partial<T> =>
    plain(Object.fromEntries([...keys].map((key) => [key, values[key]])) as Partial<T>);
  const reset = (next: T) => {
    // While it is being sent: what was typed on since is not what was stored.
    if (!busy()) setTouched(new Set<keyof T>());
    setSent(new Set<keyof T>());
    setErrors({});
    setProblem(null);
    missed = null;
    follow(next);
  };
  const follow = (now: T) => setValues(reconcile(plain({ ...now, ...only(touched()) })));
  createComputed(
    on(
      stored,
      (now: T) => {
        if (busy()) missed = now;
        else follow(now);
      },
      { defer: true },
    ),
  );
  const error = (key: string) => {
    told.add(key);
    return errors()[key] ?? null;
  };

  return {
    values,
    set,
    error,
    field: (key) => ({
      get value() {
        return values[key];
      },
      get error() {
        return error(key);
      },
      onValue: (value) => set(key, value),
    }),
    problem,
    busy,
    dirty,
    submit: (event) => {
      event?.preventDefault();
      if (event?.currentTarget instanceof HTMLFormElement) form = event.currentTarget;
      if (!busy()) void send();
    },
    reset,
  };
}

/**
 * The form element; its problem (if any) stands above the button that sends. On a page that button works once something
 * was changed; in a dialog (`onCancel`) and at the gate (`wide`) always. What was changed is not left without a question.
 */
export function Form<T extends object>(props: {
  form: FormState<T>;
  children: JSX.Element;
  /** The verb on the button; null: only to be looked at. */
  action: string | null;
  kind?: ButtonKind;
  onCancel?: (() => void) | undefined;
  wide?: boolean;
  /** Further buttons. */
  more?: JSX.Element;
}): JSX.Element {
  const onPage = () => props.onCancel === undefined && !props.wide;
  guardUnsaved(() => !props.wide && props.form.dirty());
  return (
    <form class="form" novalidate onSubmit={(event) => props.form.submit(event)}>
      {props.children}
      <Show when={props.form.problem()}>{(problem) => <ProblemNote error={problem()} />}</Show>
      <div class={onPage() ? "form-actions form-actions-start" : "form-actions"}>
        <Show when={props.onCancel}>
          {(cancel) => (
            <Button disabled={props.form.busy()} onClick={cancel()}>
              Cancel
            </Button>
          )}
        </Show>
        <Show when={props.action}>
          {(action) => (
            <Button
              kind={props.kind ?? "primary"}
              type="submit"
              wide={props.wide ?? false}
              busy={props.form.busy()}
              disabled={onPage() && !props.form.dirty()}
            >
              {action()}
            </Button>
          )}
        </Show>
        {props.more}
      </div>
    </form>
  );
}
