// The own second factor: enrolling, replacing, removing, new recovery codes.

import { createSignal, Match, Show, Switch, type JSX } from "solid-js";
import { finishTotp, newRecoveryCodes, removeTotp, startTotp } from "../../api/changes.ts";
import { ensureSession, me } from "../../api/session.ts";
import type { TotpEnrolment } from "../../api/types.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/field.tsx";
import { plural } from "../../ui/format.ts";
import { createForm, Form } from "../../ui/form.tsx";
import { FormDialog } from "../../ui/form-dialog.tsx";
import { Note } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { Badge } from "../../ui/state.tsx";
import { attempt, toast } from "../../ui/toast.tsx";
import { recoveryNote, TotpEnrolForm } from "../gate/enrol-step.tsx";
import { CurrentPassword } from "../password-fields.tsx";

type Doing = "nothing" | "enrol" | "codes" | "remove";

export function TotpCard(): JSX.Element {
  const [doing, setDoing] = createSignal<Doing>("nothing");
  const enabled = () => me()?.account.totpEnabled ?? false;
  const forced = () => me()?.account.isAdmin || me()?.organization?.requireTotp || false;
  const close = () => {
    setDoing("nothing");
    // Turning it off ends this session, too.
    void attempt(ensureSession);
  };
  return (
    <Card
      title="Two-factor authentication"
      lead="A code from an authenticator app besides your password."
      actions={<Badge tone={enabled() ? "good" : "warn"}>{enabled() ? "On" : "Off"}</Badge>}
    >
      <div class="stack">
        <Show when={enabled() && (me()?.recoveryCodesLeft ?? 10) <= 3}>
          <Note tone="warn" title={`${plural(me()?.recoveryCodesLeft ?? 0, "recovery code")} left`}>
            <p>Make new ones before you run out.</p>
          </Note>
        </Show>
        <div class="row">
          <Button kind={enabled() ? "default" : "primary"} onClick={() => setDoing("enrol")}>
            {enabled() ? "Change the authenticator…" : "Turn on…"}
          </Button>
          <Show when={enabled()}>
            <Button onClick={() => setDoing("codes")}>New recovery codes…</Button>
            <Show
              when={!forced()}
              fallback={<span class="small muted">Your role requires it, so it can't be turned off.</span>}
            >
              <Button kind="danger" onClick={() => setDoing("remove")}>
                Turn off…
              </Button>
            </Show>
          </Show>
        </div>
      </div>
      <Switch>
        <Match when={doing() === "enrol"}>
          <EnrolDialog onClose={close} />
        </Match>
        <Match when={doing() === "codes"}>
          <CodesDialog onClose={close} />
        </Match>
        <Match when={doing() === "remove"}>
          <RemoveDialog onClose={close} />
        </Match>
      </Switch>
    </Card>
  );
}

function EnrolDialog(props: { onClose: () => void }): JSX.Element {
  const [enrolment, setEnrolment] = createSignal<TotpEnrolment | null>(null);
  /** Recovery codes are shown once: nobody shall close what they are about to stand in. */
  const [locked, setLocked] = createSignal(false);
  const verify = async (code: string): Promise<string[]> => {
    setLocked(true);
    try {
      return (await finishTotp(code)).recoveryCodes;
    } catch (error) {
      setLocked(false);
      throw error;
    }
  };
  const done = () => {
    toast("Two-factor authentication is on; your other sessions were logged out.");
    props.onClose();
  };
  const form = createForm({
    initial: { currentPassword: "" },
    codes: { bad_credentials: "currentPassword" },
    check: (values) => (values.currentPassword === "" ? { currentPassword: "Enter your password." } : {}),
    submit: async ({ currentPassword }) => setEnrolment(await startTotp({ currentPassword })),
  });
  return (
    <Dialog title="Two-factor authentication" locked={locked() || form.busy()} onClose={props.onClose}>
      <Show
        when={enrolment()}
        fallback={
          <Form form={form} action="Continue" onCancel={props.onClose}>
            <CurrentPassword
              hint={`So that nobody else at this screen can do this.${
                me()?.account.totpEnabled ? " Your present authenticator works until the new one is proven." : ""
              }`}
              {...form.field("currentPassword")}
              data-autofocus=""
            />
          </Form>
        }
      >
        {(value) => <TotpEnrolForm enrolment={value()} verify={verify} onDone={done} />}
      </Show>
    </Dialog>
  );
}

function CodesDialog(props: { onClose: () => void }): JSX.Element {
  const [codes, setCodes] = createSignal<string[] | null>(null);
  const form = createForm({
    initial: { code: "" },
    codes: { bad_code: "code" },
    check: (values) => (values.code.trim() === "" ? { code: "Enter the code that the app shows." } : {}),
    submit: async ({ code }) => setCodes((await newRecoveryCodes(code.trim())).recoveryCodes),
  });
  return (
    <FormDialog
      title="New recovery codes"
      made={{
        secret: codes(),
        what: "recovery codes",
        note: recoveryNote,
        report: "The new codes are in force; the old ones have stopped.",
      }}
      form={form}
      action="Make new codes"
      onClose={props.onClose}
    >
      <p>The old codes stop working.</p>
      <TextField
        label="Code from your authenticator"
        inputmode="numeric"
        autocomplete="one-time-code"
        code
        maxlength={7}
        {...form.field("code")}
        data-autofocus=""
      />
    </FormDialog>
  );
}

function RemoveDialog(props: { onClose: () => void }): JSX.Element {
  const form = createForm({
    initial: { currentPassword: "", code: "" },
    codes: { bad_credentials: "currentPassword", bad_code: "code" },
    submit: async ({ currentPassword, code }) => {
      await removeTotp({ currentPassword, code: code.trim() });
      toast("Two-factor authentication is off. All sessions were logged out.");
      props.onClose();
    },
  });
  return (
    <FormDialog
      title="Turn off two-factor authentication?"
      form={form}
      action="Turn off"
      danger
      onClose={props.onClose}
    >
      <p>Your password alone will then be enough to log in. All sessions end, this one included.</p>
      <CurrentPassword {...form.field("currentPassword")} data-autofocus="" />
      <TextField
        label="Code from your authenticator, or a recovery code"
        mono
        autocomplete="one-time-code"
        {...form.field("code")}
      />
    </FormDialog>
  );
}
