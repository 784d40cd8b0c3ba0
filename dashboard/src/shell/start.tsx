// The bare address: to the dashboard, to the log-in, or to the set-up of a fresh server.

import { useNavigate } from "@solidjs/router";
import { createSignal, onMount, Show, type JSX } from "solid-js";
import { setupStatus } from "../api/login.ts";
import { loadMe } from "../api/session.ts";
import { Problem } from "../ui/note.tsx";

export function Start(): JSX.Element {
  const navigate = useNavigate();
  const [problem, setProblem] = createSignal<unknown>(null);
  const look = async () => {
    setProblem(null);
    try {
      if ((await loadMe()) !== null) navigate("/dashboard/overview", { replace: true });
      else navigate((await setupStatus()).needsSetup ? "/setup" : "/login", { replace: true });
    } catch (error) {
      setProblem(() => error);
    }
  };
  onMount(() => void look());
  return (
    <main class="gate-main">
      <h1 class="visually-hidden">digit-link</h1>
      <Show when={problem()}>{(error) => <Problem error={error()} onRetry={() => void look()} />}</Show>
    </main>
  );
}
