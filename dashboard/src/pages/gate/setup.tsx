// The set-up wizard of a fresh server: one-time code and credentials, TOTP, recovery codes, first allowed address.

import { useLocation, useNavigate } from "@solidjs/router";
import { createEffect, createResource, createSignal, For, Match, on, onMount, Show, Switch, type JSX } from "solid-js";
import { ApiError } from "../../api/client.ts";
import { setupComplete, setupInit, setupStatus, setupTotp } from "../../api/login.ts";
import { loadMe } from "../../api/session.ts";
import type { TotpEnrolment } from "../../api/types.ts";
import { Gate } from "../../shell/gate.tsx";
import { LinkButton } from "../../ui/button.tsx";
import { CheckBox } from "../../ui/choice.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { Problem, ProblemNote } from "../../ui/note.tsx";
import { checkNewPassword, NewPassword } from "../password-fields.tsx";
import { TotpEnrolForm } from "./enrol-step.tsx";
import { FirstAgent } from "./first-agent.tsx";

type Step = "credentials" | "totp" | "finish" | "done";
const steps: { id: Step; label: string }[] = [
  { id: "credentials", label: "Administrator" },
  { id: "totp", label: "Two-factor" },
  { id: "finish", label: "First agent" },
];

export default function Setup(): JSX.Element {
  const navigate = useNavigate();
  const location = useLocation();
  // The URL in the log has the code in its fragment, which no server and no other log sees.
  const givenCode = () => new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
  const [status, { refetch }] = createResource(() =>
    setupStatus().then(
      (value) => ({ value, error: null }),
      (error: unknown) => ({ value: null, error }),
    ),
  );
  const [step, setStep] = createSignal<Step>("credentials");
  const [enrolment, setEnrolment] = createSignal<TotpEnrolment | null>(null);
  const [lapsed, setLapsed] = createSignal<unknown>(null);
  /** Where there is nothing left to go on with, the wizard is at its beginning again, and says why. */
  const orBegin = async <T,>(sent: Promise<T>): Promise<T> => {
    try {
      return await sent;
    } catch (error) {
      const code = error instanceof ApiError ? error.code : "";
      if (code === "setup_done") await refetch();
      if (code === "unauthorized") setLapsed(error);
      if (code === "setup_done" || code === "unauthorized") setStep("credentials");
      throw error;
    }
  };
  onMount(() => {
    document.title = "Set up · digit-link";
  });

  const credentials = createForm({
    codes: { bad_code: "code" },
    initial: { code: givenCode(), username: "admin", password: "", repeated: "" },
    check: (values) => ({
      ...(values.code.trim() === "" ? { code: "Enter the code from the server's log." } : {}),
      ...(values.username.trim() === "" ? { username: "Choose a username." } : {}),
      ...checkNewPassword(values.password, values.repeated, "password"),
    }),
    submit: async ({ code, username, password }) => {
      setEnrolment(await orBegin(setupInit({ code: code.trim(), username: username.trim(), password })));
      setLapsed(null);
      setStep("totp");
    },
  });
  // Opened where the wizard is on screen already, it changes nothing but the fragment.
  createEffect(on(givenCode, (code) => code !== "" && credentials.set("code", code), { defer: true }));
  const finish = createForm({
    initial: { allowCurrentAddress: true },
    submit: async ({ allowCurrentAddress }) => {
      await orBegin(setupComplete(allowCurrentAddress));
      // From here on somebody is logged in.
      await loadMe();
      setStep("done");
    },
  });

  return (
    <Gate wide>
      <Show when={status.latest} fallback={<p role="status">Asking the server…</p>}>
        {(latest) => (
          <Switch>
            <Match when={latest().error !== null}>
              <Problem error={latest().error} onRetry={() => void refetch()} />
            </Match>
            <Match when={step() === "credentials" && latest().value?.needsSetup === false}>
              <h1>This server is set up</h1>
              <p>Somebody has finished the set-up. If it was not you, check the server's log now.</p>
              <LinkButton href="/login" kind="primary">
                Log in
              </LinkButton>
            </Match>
            <Match when={true}>
              <Show when={step() !== "done"}>
                <ol class="steps" aria-label="Steps">
                  <For each={steps}>
                    {(one, index) => (
                      <li
                        class="step"
                        aria-current={one.id === step() ? "step" : undefined}
                        data-state={index() < steps.findIndex((other) => other.id === step()) ? "done" : "open"}
                      >
                        {one.label}
                      </li>
                    )}
                  </For>
                </ol>
              </Show>
              <Switch>
                <Match when={step() === "credentials"}>
                  <h1>Set up this server</h1>
                  <Show when={lapsed()}>{(error) => <ProblemNote error={error()} />}</Show>
                  <p>
                    Nothing is created before the last step. After a reload you begin here again, with a new entry in
                    your authenticator.
                  </p>
                  <Form form={credentials} action="Continue" wide>
                    <TextField
                      label="Set-up code"
                      hint="What stands behind code= in the set-up link of the server's log: who can read the log may own the server."
                      mono
                      {...credentials.field("code")}
                      autofocus={givenCode() === ""}
                    />
                    <TextField
                      label="Username"
                      autocomplete="username"
                      autocapitalize="none"
                      {...credentials.field("username")}
                    />
                    <NewPassword label="Password" {...credentials.field("password")} autofocus={givenCode() !== ""} />
                    <NewPassword label="Password, once more" {...credentials.field("repeated")} hint="" />
                  </Form>
                </Match>
                <Match when={step() === "totp" && enrolment()}>
                  {(value) => (
                    <>
                      <h1>Two-factor authentication</h1>
                      <p>System administrators always log in with a second factor.</p>
                      <TotpEnrolForm
                        enrolment={value()}
                        verify={async (code) => (await orBegin(setupTotp(code))).recoveryCodes}
                        onDone={() => setStep("finish")}
                      />
                    </>
                  )}
                </Match>
                <Match when={step() === "finish"}>
                  <h1>Your first agent</h1>
                  <p>Only agents from allowed addresses may open tunnels.</p>
                  <Form form={finish} action="Finish" wide>
                    <CheckBox
                      label="Allow agents from my current address"
                      hint="Adds the address you are connecting from to the system's whitelist."
                      checked={finish.values.allowCurrentAddress}
                      onChecked={(checked) => finish.set("allowCurrentAddress", checked)}
                    />
                  </Form>
                </Match>
                <Match when={step() === "done"}>
                  <FirstAgent
                    addressAllowed={finish.values.allowCurrentAddress}
                    onDone={() => void loadMe().then((who) => navigate(who ? "/dashboard/overview" : "/login"))}
                  />
                </Match>
              </Switch>
            </Match>
          </Switch>
        )}
      </Show>
    </Gate>
  );
}
