// An address that leads nowhere, with a way on.

import type { JSX } from "solid-js";
import { LinkButton } from "../ui/button.tsx";
import { Empty } from "../ui/note.tsx";
import { Page } from "../ui/page.tsx";

export function NotFound(): JSX.Element {
  return (
    <Page title="Not found">
      <Empty
        icon="search"
        title="There is no such page"
        text="The address may be mistyped, or the page is not for your role."
      >
        <LinkButton href="/dashboard/overview" kind="primary">
          Go to the overview
        </LinkButton>
      </Empty>
    </Page>
  );
}
