// All API keys that the caller may see.

import { useSearchParams } from "@solidjs/router";
import { Show, type JSX } from "solid-js";
import { isAdmin } from "../../api/session.ts";
import { Page } from "../../ui/page.tsx";
import { ScopePicker } from "../scope-picker.tsx";
import { KeysPanel } from "./keys-panel.tsx";

export default function Keys(): JSX.Element {
  const [params, setParams] = useSearchParams<{ org: string; app: string }>();
  return (
    <Page title="API keys" lead="For machines. A key is stored as a hash; only its prefix can be shown again.">
      <div class="toolbar">
        <Show when={isAdmin()}>
          <ScopePicker
            kind="organizations"
            value={params.org ?? ""}
            onValue={(org) => setParams({ org, "key-cursor": "" })}
          />
        </Show>
        <ScopePicker
          kind="applications"
          value={params.app ?? ""}
          onValue={(app) => setParams({ app, "key-cursor": "" })}
        />
      </div>
      <KeysPanel
        {...(params.org ? { orgId: params.org } : {})}
        {...(params.app ? { appId: params.app } : {})}
        title="Keys"
        lead="Revoking works at once, everywhere."
      />
    </Page>
  );
}
