// A form in a dialog, and the secret that it may yield: what every "New …" and "Make a new …" is made of.

import { Show, type JSX } from "solid-js";
import { Dialog } from "./dialog.tsx";
import { Form, type FormState } from "./form.tsx";
import { SecretOnce, type ShownOnce } from "./secret.tsx";

interface FormDialogProps<T extends object> {
  title: string;
  form: FormState<T>;
  /** The verb on the button. */
  action: string;
  danger?: boolean;
  onClose: () => void;
  /** What came of it and is shown once, instead of the form; null until then. */
  made?: Omit<ShownOnce, "secret"> & { secret: ShownOnce["secret"] | null; title?: string; more?: JSX.Element };
  children: JSX.Element;
}

/** Esc, the cross and Cancel close the form, unless it is being sent; a secret stays until somebody says that it is saved. */
export function FormDialog<T extends object>(props: FormDialogProps<T>): JSX.Element {
  const secret = () => props.made?.secret ?? null;
  return (
    <Dialog
      title={secret() === null ? props.title : (props.made?.title ?? props.title)}
      locked={secret() !== null || props.form.busy()}
      onClose={props.onClose}
    >
      <Show
        when={secret()}
        fallback={
          <Form
            form={props.form}
            action={props.action}
            kind={props.danger ? "danger-solid" : "primary"}
            onCancel={props.onClose}
          >
            {props.children}
          </Form>
        }
      >
        {(value) => <SecretOnce what="" {...props.made} secret={value()} onKept={props.onClose} />}
      </Show>
    </Dialog>
  );
}

/** A dialog that shows nothing but a new secret. */
export function SecretDialog(props: ShownOnce & { title: string; onClose: () => void }): JSX.Element {
  return (
    <Dialog title={props.title} locked onClose={props.onClose}>
      <SecretOnce {...props} onKept={props.onClose} />
    </Dialog>
  );
}
