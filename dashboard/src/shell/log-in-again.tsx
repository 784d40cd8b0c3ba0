// The session ran out: log in again over the page, which keeps everything that was typed.

import type { JSX } from "solid-js";
import { loadMe, me, settleExpired } from "../api/session.ts";
import { LoginFlow } from "../pages/gate/login-flow.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";

export function LogInAgain(): JSX.Element {
  const done = async () => settleExpired((await loadMe()) !== null);
  return (
    <Dialog title="Log in again" onClose={() => settleExpired(false)}>
      <p>Your session ended. Log in to go on: what you typed on this page is kept.</p>
      <LoginFlow username={me()?.account.username ?? ""} onDone={done} />
      <div class="row row-between">
        <a href="/login" target="_blank" rel="external" class="small">
          Log in another way, in a new tab
        </a>
        <Button kind="ghost" small onClick={() => settleExpired(false)}>
          Not now
        </Button>
      </div>
    </Dialog>
  );
}
