// The visitor policy of the caller's own organization.

import type { JSX } from "solid-js";
import { canManage } from "../../api/session.ts";
import { Page } from "../../ui/page.tsx";
import PolicyEditor from "../policy/policy-editor.tsx";

export default function OrgPolicy(): JSX.Element {
  return (
    <Page
      title="Visitor policy"
      lead="Who may visit your organization's applications and ad-hoc tunnels, unless an application has its own policy."
      narrow
    >
      <PolicyEditor owner="" mayChange={canManage()} />
    </Page>
  );
}
