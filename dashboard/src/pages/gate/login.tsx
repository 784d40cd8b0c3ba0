// The log-in page.

import { useNavigate, useSearchParams } from "@solidjs/router";
import { createSignal, For, onMount, Show, type JSX } from "solid-js";
import { providers, type Provider } from "../../api/login.ts";
import { loadMe } from "../../api/session.ts";
import { Gate } from "../../shell/gate.tsx";
import { Note } from "../../ui/note.tsx";
import { LoginFlow } from "./login-flow.tsx";
import { safeNext } from "./safe-next.ts";

/** Why a sign-in at a provider led back here. */
const signInErrors: Record<string, string> = {
  unknown_account: "No account here belongs to that identity. Ask an administrator, or log in and link it to yours.",
  admin_not_linked: "A system admin signs in with a provider only after linking it. Log in with your password first.",
  linked_already: "That identity is linked to another account.",
  sign_in_failed: "Signing in at the provider did not work. Try again, or log in with your password.",
};

/** A sign-in at a provider that still needs the second factor comes back with its state in the fragment. */
function resumed(): { step: "totp" | "enrol"; pendingToken: string; to: string | undefined } | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const pendingToken = fragment.get("pendingToken");
  if (pendingToken === null) return null;
  // Used once; not kept in the history.
  history.replaceState(history.state, "", "/login");
  return {
    step: fragment.get("step") === "totp" ? "totp" : "enrol",
    pendingToken,
    to: fragment.get("to") ?? undefined,
  };
}

export default function Login(): JSX.Element {
  const navigate = useNavigate();
  const [params] = useSearchParams<{ next: string; error: string }>();
  const resume = resumed();
  const [available, setAvailable] = createSignal<Provider[]>([]);
  // The form does not wait for them.
  void providers().then(setAvailable);
  const [isIn, setIsIn] = createSignal(false);
  const enter = async () => {
    if ((await loadMe()) !== null) navigate(safeNext(resume?.to ?? params.next, location.origin), { replace: true });
  };
  onMount(() => {
    document.title = "Log in · digit-link";
    // Whoever is logged in goes on by himself, unless there is something to be read first.
    if (params.error !== undefined) void loadMe().then((me) => setIsIn(me !== null));
    // Who can't be found to be logged in may log in.
    else if (resume === null) enter().catch(() => {});
  });
  return (
    <Gate>
      <h1>Log in</h1>
      <Show when={params.error}>
        <Note tone="bad" alert>
          <p>{signInErrors[params.error ?? ""] ?? signInErrors["sign_in_failed"]}</p>
          <Show when={isIn()}>
            <p>
              <a href={safeNext(params.next, location.origin)}>You are still logged in: go on to the dashboard</a>
            </p>
          </Show>
        </Note>
      </Show>
      <LoginFlow
        {...(resume === null ? {} : { resume })}
        onDone={enter}
        providers={
          <Show when={available().length > 0}>
            <div class="stack-tight">
              <For each={available()}>
                {(provider) => (
                  <a
                    class="button button-default button-wide"
                    href={`/auth/oauth/${provider.name}?to=${encodeURIComponent(safeNext(params.next, location.origin))}`}
                    rel="external"
                  >
                    Continue with {provider.label}
                  </a>
                )}
              </For>
            </div>
          </Show>
        }
      />
    </Gate>
  );
}
