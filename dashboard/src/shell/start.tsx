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
    // Asked at once: on a slow line each question that waits for another is half a second.
    const status = setupStatus();
    status.catch(() => {});
    try {
      if ((await loadMe()) !== null) navigate("/dashboard/overview", { replace: true });
      else navigate((await status).needsSetup ? "/setup" : "/login", { replace: true });
    } catch (error) {
      setProblem(() => error);
    }
  };
  onMount(() => void look());
  return (
    <main class="gate-main" classList={{ start: problem() === null }}>
      <h1 class="visually-hidden">digit-link</h1>
      <Show when={problem()}>{(error) => <Problem error={error()} onRetry={() => void look()} />}</Show>
    </main>
  );
}
