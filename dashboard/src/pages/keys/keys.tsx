// All API keys that the caller may see.

import type { JSX } from "solid-js";
import { Page } from "../../ui/page.tsx";
import { KeysPanel } from "./keys-panel.tsx";

export default function Keys(): JSX.Element {
  return (
    <Page title="API keys" lead="For machines. A key is stored as a hash; only its prefix can be shown again.">
      <KeysPanel title="Keys" lead="Revoking works at once, everywhere." />
    </Page>
  );
}
