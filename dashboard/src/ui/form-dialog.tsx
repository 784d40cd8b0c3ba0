// A form in a dialog, and the secret that it may yield: what every "New …" and "Make a new …" is made of.

import { Show, type JSX } from "solid-js";
import { Button } from "./button.tsx";
import { SecretOnce } from "./copy.tsx";
import { Dialog } from "./dialog.tsx";
import { Form, type FormState } from "./form.tsx";

interface FormDialogProps<T extends object> {
  title: string;
  form: FormState<T>;
  /** The verb on the button. */
  action: string;
  danger?: boolean;
  onClose: () => void;
  /** What came of it and is shown once, instead of the form; null until then. */
  made?: { secret: string | null; what: string; title?: string; more?: JSX.Element };
  children: JSX.Element;
}

/** Esc, the cross and Cancel close the form; a secret stays until somebody says that it was copied. */
export function FormDialog<T extends object>(props: FormDialogProps<T>): JSX.Element {
  const secret = () => props.made?.secret ?? null;
  return (
    <Dialog
      title={secret() === null ? props.title : (props.made?.title ?? props.title)}
      locked={secret() !== null}
      onClose={props.onClose}
    >
      <Show
        when={secret()}
        fallback={
          <Form
            form={props.form}
            actions={
              <>
                <Button onClick={props.onClose}>Cancel</Button>
                <Button kind={props.danger ? "danger-solid" : "primary"} type="submit" busy={props.form.busy()}>
                  {props.action}
                </Button>
              </>
            }
          >
            {props.children}
          </Form>
        }
      >
        {(value) => (
          <MadeSecret secret={value()} what={props.made?.what ?? ""} more={props.made?.more} onClose={props.onClose} />
        )}
      </Show>
    </Dialog>
  );
}

/** A dialog that shows nothing but a new secret. */
export function SecretDialog(props: { title: string; secret: string; what: string; onClose: () => void }): JSX.Element {
  return (
    <Dialog title={props.title} locked onClose={props.onClose}>
      <MadeSecret secret={props.secret} what={props.what} onClose={props.onClose} />
    </Dialog>
  );
}

function MadeSecret(props: { secret: string; what: string; more?: JSX.Element; onClose: () => void }): JSX.Element {
  return (
    <>
      <SecretOnce secret={props.secret} what={props.what} />
      {props.more}
      <div class="form-actions">
        <Button kind="primary" onClick={props.onClose}>
          I have copied it
        </Button>
      </div>
    </>
  );
}
