// Settings of the caller's own organization.

import type { JSX } from "solid-js";
import { saveSettings } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { loadMe } from "../../api/session.ts";
import { useQuery } from "../../api/use-query.ts";
import { Load } from "../../ui/load.tsx";
import { Card, Page } from "../../ui/page.tsx";
import { OrganizationForm, type OrganizationSettings } from "./organization-form.tsx";

/** The frame shows the name, and whether a second factor is owed decides what else it shows. */
async function save(settings: Partial<OrganizationSettings>): Promise<void> {
  await saveSettings(settings);
  await loadMe();
}

export default function OrgSettings(): JSX.Element {
  const query = useQuery(() => resources.orgSettings());
  return (
    <Page title="Settings" narrow>
      <Card title="Organization">
        <Load query={query}>{(settings) => <OrganizationForm settings={settings()} save={save} />}</Load>
      </Card>
    </Page>
  );
}
