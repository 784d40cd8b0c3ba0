// Enrolment in TOTP: scan, type the first code, keep the recovery codes.

import { createResource, createSignal, Show, type JSX } from "solid-js";
import { finishEnrolment, startEnrolment } from "../../api/login.ts";
import type { TotpEnrolment } from "../../api/types.ts";
import { Button } from "../../ui/button.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { ProblemNote } from "../../ui/note.tsx";
import { QrCode } from "../../ui/qr.tsx";
import { Secret, SecretOnce } from "../../ui/secret.tsx";

export const recoveryNote =
  "Each logs you in once when your authenticator is out of reach. They are stored only as hashes and not shown again.";

/** For an account that must have TOTP and has none. */
export function EnrolStep(props: { pendingToken: string; onDone: () => void; onRestart: () => void }): JSX.Element {
  const [enrolment] = createResource(() =>
    startEnrolment(props.pendingToken).then(
      (value) => ({ value, error: null }),
      (error: unknown) => ({ value: null, error }),
    ),
  );
  return (
    <div class="stack">
      <p>Your account needs two-factor authentication.</p>
      <Show when={enrolment.latest?.error}>
        {(error) => (
          <>
            <ProblemNote error={error()} />
            <Button onClick={() => props.onRestart()}>Start over</Button>
          </>
        )}
      </Show>
      <Show when={enrolment.latest?.value}>
        {(value) => (
          <TotpEnrolForm
            enrolment={value()}
            verify={async (code) => (await finishEnrolment(props.pendingToken, code)).recoveryCodes ?? []}
            onDone={props.onDone}
          />
        )}
      </Show>
    </div>
  );
}

/** The QR code, the secret for those who can't scan, the first code, then the recovery codes. */
export function TotpEnrolForm(props: {
  enrolment: TotpEnrolment;
  verify: (code: string) => Promise<string[]>;
  onDone: () => void;
}): JSX.Element {
  const [codes, setCodes] = createSignal<string[] | null>(null);
  const form = createForm({
    initial: { code: "" },
    codes: { bad_code: "code" },
    check: (values) =>
      /^\d{6}$/.test(values.code.replace(/\s/g, "")) ? {} : { code: "Enter the 6 digits that the app shows." },
    submit: async (values) => {
      const made = await props.verify(values.code.replace(/\s/g, ""));
      if (made.length === 0) props.onDone();
      else setCodes(made);
    },
  });
  return (
    <Show
      when={codes()}
      fallback={
        <Form form={form} action="Turn on two-factor authentication" wide>
          <p class="muted">Scan this with an authenticator app (Aegis, 1Password, Google Authenticator, …).</p>
          <QrCode svg={props.enrolment.qrSvg} label="QR code for your authenticator app" />
          <div class="stack-tight">
            <span class="field-label">Can't scan? Type this secret into the app</span>
            <Secret value={props.enrolment.secret} what="secret" />
          </div>
          <TextField
            label="First code"
            hint="The 6 digits that the app shows now."
            name="code"
            inputmode="numeric"
            autocomplete="one-time-code"
            maxlength={7}
            code
            {...form.field("code")}
          />
        </Form>
      }
    >
      {(list) => <SecretOnce secret={list()} what="recovery codes" note={recoveryNote} onKept={() => props.onDone()} />}
    </Show>
  );
}
