// The log-in page.

import { useNavigate, useSearchParams } from "@solidjs/router";
import { createResource, For, onMount, Show, type JSX } from "solid-js";
import { providers } from "../../api/login.ts";
import { loadMe } from "../../api/session.ts";
import { Gate } from "../../shell/gate.tsx";
import { Note } from "../../ui/note.tsx";
import { LoginFlow } from "./login-flow.tsx";

/** Only a page of this dashboard: never another site, never an API path. */
function safeNext(next: string | undefined): string {
  return next !== undefined && /^\/dashboard\/[\w\-./?=&%]*$/.test(next) ? next : "/dashboard/overview";
}

export default function Login(): JSX.Element {
  const navigate = useNavigate();
  const [params] = useSearchParams<{ next: string; error: string }>();
  const [available] = createResource(providers);
  const enter = async () => {
    if ((await loadMe()) !== null) navigate(safeNext(params.next), { replace: true });
  };
  onMount(() => {
    document.title = "Log in · digit-link";
    void enter();
  });
  return (
    <Gate>
      <h1>Log in</h1>
      <Show when={params.error}>
        <Note tone="bad" alert>
          <p>{params.error}</p>
        </Note>
      </Show>
      <LoginFlow
        onDone={() => void enter()}
        providers={
          <Show when={(available.latest ?? []).length > 0}>
            <div class="stack-tight">
              <For each={available.latest}>
                {(provider) => (
                  <a class="button button-default button-wide" href={`/auth/oauth/${provider.id}`} rel="external">
                    Continue with {provider.name}
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
