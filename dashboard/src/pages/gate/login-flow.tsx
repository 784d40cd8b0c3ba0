// Logging in step by step: name, password, then a TOTP code, a recovery code, or enrolment in TOTP.

import { createSignal, Match, Show, Switch, type JSX } from "solid-js";
import { ApiError } from "../../api/client.ts";
import { checkAccount, logIn, verifyTotp, type LoginAnswer } from "../../api/login.ts";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { attempt } from "../../ui/toast.tsx";
import { EnrolStep } from "./enrol-step.tsx";
import { Lockout } from "./lockout.tsx";

type Step = "name" | "password" | "totp" | "enrol";

/** With `username` the name is fixed and the flow starts at the password. `onDone` runs once a session exists; its failure is told. */
export function LoginFlow(props: {
  username?: string;
  /** The first factor was proven elsewhere. */
  resume?: { step: "totp" | "enrol"; pendingToken: string };
  onDone: () => Promise<void>;
  providers?: JSX.Element;
}): JSX.Element {
  const [step, setStep] = createSignal<Step>(props.resume?.step ?? (props.username ? "password" : "name"));
  const [pending, setPending] = createSignal(props.resume?.pendingToken ?? "");
  const [lock, setLock] = createSignal({ untilMs: 0, codesOnly: false });

  const advance = async (answer: LoginAnswer) => {
    setPending(answer.pendingToken ?? "");
    if (answer.needsTotp) setStep("totp");
    else if (answer.needsSetup) setStep("enrol");
    else await props.onDone();
  };
  /** A lock-out is told with its end instead of as one more error; any other failure is the form's. */
  const goOn = async (work: Promise<LoginAnswer>): Promise<void> => {
    try {
      await advance(await work);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "rate_limited")) throw error;
      setLock({ untilMs: error.retryAtMs ?? Date.now() + 60_000, codesOnly: error.field === "code" });
    }
  };

  const restart = () => {
    login.set("password", "");
    setStep(login.values.username === "" ? "name" : "password");
  };
  const login = createForm({
    initial: { username: props.username ?? "", password: "" },
    codes: { bad_credentials: "password" },
    check: (values) =>
      values.username.trim() === ""
        ? { username: "Enter your username." }
        : step() === "password" && values.password === ""
          ? { password: "Enter your password." }
          : {},
    submit: async (values) => {
      if (step() === "name") {
        await checkAccount(values.username.trim());
        setStep("password");
        return;
      }
      await goOn(logIn(values.username.trim(), values.password));
    },
  });

  return (
    <Switch>
      <Match when={step() === "name" || step() === "password"}>
        <Form form={login} action={step() === "name" ? "Continue" : "Log in"} wide>
          <Lockout {...lock()} />
          <TextField
            label="Username"
            name="username"
            autocomplete="username"
            autocapitalize="none"
            {...login.field("username")}
            readonly={props.username !== undefined && props.username !== ""}
            data-autofocus={step() === "name" ? "" : undefined}
            autofocus={step() === "name"}
          />
          <Show when={step() === "password"}>
            <TextField
              label="Password"
              type="password"
              name="password"
              autocomplete="current-password"
              {...login.field("password")}
              data-autofocus=""
              ref={(element) => queueMicrotask(() => element.focus())}
            />
          </Show>
        </Form>
        <Show when={step() === "name"}>{props.providers}</Show>
      </Match>
      <Match when={step() === "totp"}>
        <TotpStep
          pendingToken={pending()}
          lock={lock()}
          verify={(token, code) => goOn(verifyTotp(token, code))}
          onRestart={restart}
        />
      </Match>
      <Match when={step() === "enrol"}>
        <EnrolStep pendingToken={pending()} onDone={() => void attempt(props.onDone)} onRestart={restart} />
      </Match>
    </Switch>
  );
}

function TotpStep(props: {
  pendingToken: string;
  lock: { untilMs: number; codesOnly: boolean };
  verify: (pendingToken: string, code: string) => Promise<void>;
  onRestart: () => void;
}): JSX.Element {
  const [recovery, setRecovery] = createSignal(false);
  const form = createForm({
    initial: { code: "" },
    codes: { bad_code: "code" },
    check: (values) =>
      values.code.trim() === "" ? { code: recovery() ? "Enter a recovery code." : "Enter the 6-digit code." } : {},
    submit: async (values) => {
      const code = recovery() ? values.code.trim() : values.code.replace(/\s/g, "");
      await props.verify(props.pendingToken, code);
    },
  });
  return (
    <Form form={form} action="Verify" wide>
      <Lockout {...props.lock} />
      <TextField
        label={recovery() ? "Recovery code" : "Code from your authenticator"}
        hint={recovery() ? "Each recovery code works once." : "6 digits; each code works once."}
        name="code"
        inputmode={recovery() ? "text" : "numeric"}
        autocomplete="one-time-code"
        code={!recovery()}
        mono={recovery()}
        maxlength={recovery() ? 40 : 7}
        {...form.field("code")}
        ref={(element) => queueMicrotask(() => element.focus())}
      />
      <div class="row row-between">
        <button
          type="button"
          class="more"
          onClick={() => {
            setRecovery(!recovery());
            form.reset({ code: "" });
          }}
        >
          {recovery() ? "Use the authenticator" : "Use a recovery code"}
        </button>
        <button type="button" class="more" onClick={() => props.onRestart()}>
          Start over
        </button>
      </div>
    </Form>
  );
}
