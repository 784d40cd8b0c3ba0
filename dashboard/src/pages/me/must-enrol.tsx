// The organization (or the role) demands a second factor: nothing else is open until it is enrolled.

import type { JSX } from "solid-js";
import { me } from "../../api/session.ts";
import { Note } from "../../ui/note.tsx";
import { Page } from "../../ui/page.tsx";
import { TotpCard } from "./totp-card.tsx";

export default function MustEnrol(): JSX.Element {
  return (
    <Page title="One more step" narrow>
      <Note tone="warn" title="Two-factor authentication is required">
        <p>{me()?.organization?.name ?? "This server"} requires it. The dashboard opens as soon as it is turned on.</p>
      </Note>
      <TotpCard />
    </Page>
  );
}
