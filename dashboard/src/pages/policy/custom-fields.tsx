// The parts of a policy of one's own: how visitors prove who they are, and from where they may come.

import { Match, Show, Switch, type Accessor, type JSX } from "solid-js";
import type { AuthType, Policy } from "../../api/types.ts";
import { CheckBox, ChoiceCards } from "../../ui/choice.tsx";
import type { FormState } from "../../ui/form.tsx";
import { Note } from "../../ui/note.tsx";
import { TagsField } from "../../ui/tags.tsx";
import { BasicFields, SessionField } from "./basic-fields.tsx";
import { OidcFields } from "./oidc-fields.tsx";
import type { PolicyValues } from "./policy-form.ts";

const kinds: { value: AuthType; label: string; hint: string }[] = [
  { value: "basic", label: "Username and password", hint: "One pair for all visitors; programs use HTTP Basic." },
  { value: "api_key", label: "API key", hint: "For programs: X-API-Key or a bearer token." },
  { value: "oidc", label: "Single sign-on", hint: "Visitors log in at your OpenID Connect provider." },
];

export function CustomFields(props: {
  form: FormState<PolicyValues>;
  stored: Accessor<Policy | null>;
  mayChange: boolean;
}): JSX.Element {
  const { form } = props;
  return (
    <fieldset class="stack-loose" disabled={!props.mayChange}>
      <ChoiceCards
        legend="How visitors prove who they are"
        options={kinds}
        value={form.values.authType}
        onValue={(kind) => form.set("authType", kind)}
      />
      <Switch>
        <Match when={form.values.authType === "basic"}>
          <BasicFields form={form} stored={props.stored()} />
        </Match>
        <Match when={form.values.authType === "oidc"}>
          <OidcFields form={form} stored={props.stored()} />
        </Match>
        <Match when={form.values.authType === "api_key"}>
          <Note>
            <p>Keys with the scope "visit" pass. Make them on the page "API keys".</p>
          </Note>
        </Match>
      </Switch>
      <Show when={form.values.authType !== "api_key"}>
        <SessionField form={form} />
        <CheckBox
          label="API keys pass as well"
          hint='Programs may use a key with the scope "visit" instead.'
          checked={form.values.apiKeyEnabled}
          onChecked={(checked) => form.set("apiKeyEnabled", checked)}
        />
      </Show>
      <CheckBox
        label="Let CORS preflights pass"
        hint="Browsers send them without credentials; the application itself must answer them."
        checked={form.values.allowPreflight}
        onChecked={(checked) => form.set("allowPreflight", checked)}
      />
      <div class="grid-fields">
        <TagsField
          label="Only from these addresses"
          optional
          hint="Empty: from everywhere. Judged before anything else."
          placeholder="203.0.113.0/24"
          values={form.values.allowIps}
          onValues={(values) => form.set("allowIps", values)}
          error={form.error("allowIps")}
          disabled={!props.mayChange}
        />
        <TagsField
          label="Never from these addresses"
          optional
          hint="Wins over the other list."
          placeholder="198.51.100.7"
          values={form.values.denyIps}
          onValues={(values) => form.set("denyIps", values)}
          error={form.error("denyIps")}
          disabled={!props.mayChange}
        />
      </div>
    </fieldset>
  );
}
