// The visitor policy of an organization or an application: who may visit, how they prove it, and what that amounts to.

import { useQuery } from "@tanstack/solid-query";
import { Match, Show, Switch, type Accessor, type JSX } from "solid-js";
import { deletePolicy, savePolicy, updateApplication } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import type { Application, AuthMode, AuthType, Policy } from "../../api/types.ts";
import { Button } from "../../ui/button.tsx";
import { CheckBox, ChoiceCards } from "../../ui/choice.tsx";
import { confirm } from "../../ui/confirm.tsx";
import { createForm, Form, type FormState, guardUnsaved } from "../../ui/form.tsx";
import { Load } from "../../ui/load.tsx";
import { Note } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { TagsField } from "../../ui/tags.tsx";
import { toast } from "../../ui/toast.tsx";
import { BasicFields, SessionField } from "./basic-fields.tsx";
import { EffectiveCard } from "./effective-card.tsx";
import { OidcFields } from "./oidc-fields.tsx";
import { checkPolicy, toInput, toValues, type PolicyValues } from "./policy-form.ts";

interface EditorProps {
  /** `/applications/ID`, `/organizations/ID`, or empty for the caller's own organization. */
  owner: string;
  application?: Application;
  mayChange: boolean;
}

export default function PolicyEditor(props: EditorProps): JSX.Element {
  const query = useQuery(() => ({ ...resources.policy(props.owner), refetchOnWindowFocus: false }));
  return (
    <div class="stack-loose">
      <Load query={query} lines={6}>
        {(policy) => <PolicyForm {...props} policy={policy} />}
      </Load>
      <Show when={props.application}>{(application) => <EffectiveCard applicationId={application().id} />}</Show>
    </div>
  );
}

const modes: { value: AuthMode; label: string; hint: string }[] = [
  { value: "inherit", label: "As the organization", hint: "Its policy counts here, too." },
  { value: "custom", label: "Own policy", hint: "Set below, for this application only." },
  { value: "disabled", label: "Public", hint: "Anybody may visit." },
];
const kinds: { value: AuthType; label: string; hint: string }[] = [
  { value: "basic", label: "Username and password", hint: "One pair for all visitors; programs use HTTP Basic." },
  { value: "api_key", label: "API key", hint: "For programs: X-API-Key or a bearer token." },
  { value: "oidc", label: "Single sign-on", hint: "Visitors log in at your OpenID Connect provider." },
];

function PolicyForm(props: EditorProps & { policy: Accessor<Policy | null> }): JSX.Element {
  const stored = props.policy;
  const form: FormState<PolicyValues> = createForm({
    initial: toValues(stored(), props.application?.authMode ?? "custom"),
    check: (values) => checkPolicy(values, stored()),
    submit: async (values) => {
      // The policy first: switching to "custom" without one would lock everybody out for a moment.
      if (values.mode === "custom") await savePolicy(props.owner, toInput(values));
      if (props.application && values.mode !== props.application.authMode) {
        await updateApplication(props.application.id, { authMode: values.mode });
      }
      form.reset({ ...values, basicPassword: "", oidcClientSecret: "" });
      toast("The policy is in force.");
    },
  });
  guardUnsaved(form.dirty);
  const askRemove = () =>
    confirm({
      title: "Remove this policy?",
      consequence: props.application
        ? "If the application stays on its own policy, nobody may visit it any more. Visitors' sessions end."
        : "Every application that follows the organization becomes public: anybody may visit it. Visitors' sessions end.",
      action: "Remove the policy",
      done: "The policy was removed.",
      run: () => deletePolicy(props.owner),
      after: () => form.reset(toValues(null, props.application?.authMode ?? "custom")),
    });

  return (
    <Card
      title={props.application ? "Who may visit" : "Policy"}
      lead={
        props.mayChange
          ? "A change is in force everywhere within a second; visitors' sessions under the old policy end."
          : "Only an admin of the organization may change it."
      }
    >
      <Form
        form={form}
        start
        actions={
          <Show when={props.mayChange}>
            <Button kind="primary" type="submit" busy={form.busy()} disabled={!form.dirty()}>
              Save the policy
            </Button>
            <Show when={stored() !== null && (!props.application || form.values.mode !== "custom")}>
              <Button kind="danger" onClick={askRemove}>
                Remove the stored policy…
              </Button>
            </Show>
          </Show>
        }
      >
        <Show when={stored()?.problem}>
          {(problem) => (
            <Note tone="bad" title="This policy lets nobody in">
              <p>{problem()}</p>
            </Note>
          )}
        </Show>
        <Show when={props.application}>
          <ChoiceCards
            legend="Policy of this application"
            options={modes}
            {...form.field("mode")}
            disabled={!props.mayChange}
          />
        </Show>
        <Show when={form.values.mode === "disabled"}>
          <Note tone="warn" title="Open to the world">
            <p>Anybody who knows the address may call this application. Nothing is asked and nothing is checked.</p>
          </Note>
        </Show>
        <Show when={!props.application && stored() === null}>
          <Note tone="warn" title="There is no policy yet">
            <p>Applications that follow the organization, and ad-hoc tunnels of its members, are open to the world.</p>
          </Note>
        </Show>
        <Show when={form.values.mode === "custom"}>
          <CustomFields form={form} stored={stored} mayChange={props.mayChange} />
        </Show>
      </Form>
    </Card>
  );
}

function CustomFields(props: {
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
