// Linking the account to sign-in providers, when the server has some.

import { createResource, For, Show, type JSX } from "solid-js";
import { providers } from "../../api/login.ts";
import { Card } from "../../ui/page.tsx";

export function ProvidersCard(): JSX.Element {
  const [available] = createResource(providers);
  return (
    <Show when={(available.latest ?? []).length > 0}>
      <Card title="Sign-in providers" lead="After linking, you can log in with them instead of your password.">
        <div class="row">
          <For each={available.latest}>
            {(provider) => (
              <a
                class="button button-default"
                href={`/auth/oauth/${provider.name}?link=1&to=/dashboard/me`}
                rel="external"
              >
                Link {provider.label}
              </a>
            )}
          </For>
        </div>
      </Card>
    </Show>
  );
}
