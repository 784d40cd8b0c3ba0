// The visitor policy of an organization or an application: who may visit, how they prove it, and what that amounts to.

import { createComputed, createSignal, Show, type Accessor, type JSX } from "solid-js";
import { deletePolicy, readApplications, savePolicy, setAuthMode } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin } from "../../api/session.ts";
import type { Application, AuthMode, Policy } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Button } from "../../ui/button.tsx";
import { ChoiceCards } from "../../ui/choice.tsx";
import { confirm } from "../../ui/confirm.tsx";
import { createForm, Form, type FormState } from "../../ui/form.tsx";
import { Load } from "../../ui/load.tsx";
import { Note } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { policyWord } from "../../ui/state.tsx";
import { toast } from "../../ui/toast.tsx";
import { CustomFields } from "./custom-fields.tsx";
import { EffectiveCard } from "./effective-card.tsx";
import { resolveOpening } from "./opening.ts";
import { checkPolicy, toInput, toValues, type PolicyValues } from "./policy-form.ts";

interface EditorProps {
  /** `/applications/ID`, `/organizations/ID`, or empty for the caller's own organization. */
  owner: string;
  application?: Application;
  mayChange: boolean;
}

export default function PolicyEditor(props: EditorProps): JSX.Element {
  const query = useQuery(() => resources.policy(props.owner));
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

const labelOf = (mode: AuthMode) => modes.find(({ value }) => value === mode)?.label ?? mode;

function PolicyForm(props: EditorProps & { policy: Accessor<Policy | null> }): JSX.Element {
  const stored = props.policy;
  // Whether following the organization means any protection at all.
  const ofOrganization = useQuery(() => ({
    ...resources.policy(isAdmin() ? `/organizations/${props.application?.orgId}` : ""),
    enabled: props.application !== undefined,
  }));
  // While it is being read, or can't be, there may be none.
  const inherited = () => (ofOrganization.isSuccess ? ofOrganization.data : undefined);
  const storedValues = () => toValues(stored(), props.application?.authMode ?? "custom");
  /** What of the stored state tells whether somebody else has changed it. */
  const state = () => ({
    updatedAt: stored()?.updatedAt ?? null,
    mode: props.application?.authMode ?? "custom",
    inherited: inherited() && inherited()?.updatedAt,
  });
  /** The one that somebody read who consented to what will happen. */
  let agreed = state();
  const form: FormState<PolicyValues> = createForm({
    initial: storedValues,
    check: (values) => checkPolicy(values, stored()),
    ask: () => {
      agreed = state();
      const what = opening();
      const title = `Open ${props.application?.name} to the world?`;
      return what?.asks ? { title, consequence: what.says, action: "Make it public" } : null;
    },
    submit: async (values, changed) => {
      // The policy first: switching to "custom" without one would lock everybody out for a moment.
      if (values.mode === "custom") {
        const { updatedAt } = await savePolicy(props.owner, { ...toInput(values), basedOn: agreed.updatedAt });
        setBegun((before) => ({ ...before, updatedAt }));
      }
      const mode = await saveMode(changed.mode);
      form.reset({ ...values, mode, basicPassword: "", oidcClientSecret: "" });
      if (mode === "disabled") toast(`${props.application?.name} is public now.`);
      else if (mode === values.mode) toast("The policy is in force.");
      else
        toast(`The policy is stored, but not in force: somebody else has chosen “${labelOf(mode)}” meanwhile.`, "bad");
    },
  });
  /** Sends the mode only if it was chosen here; resolves with the one that is stored by then. */
  const saveMode = async (chosen: AuthMode | undefined): Promise<AuthMode> => {
    const { application } = props;
    if (application === undefined) return "custom";
    if (chosen === undefined || chosen === agreed.mode) {
      await readApplications();
      return application.authMode;
    }
    const { mode: basedOn, inherited: basedOnPolicy } = agreed;
    const body = { authMode: chosen, basedOn };
    const mode = await setAuthMode(application.id, chosen === "inherit" ? { ...body, basedOnPolicy } : body);
    setBegun((before) => ({ ...before, mode }));
    return mode;
  };
  /** The state that somebody began to change here. */
  const [begun, setBegun] = createSignal(state());
  createComputed(() => form.dirty() || setBegun(state()));
  /** What somebody else has done since; null: nothing. */
  const overtaken = (): string | null => {
    const now = state();
    if (!form.dirty()) return null;
    if (now.mode !== begun().mode) return `Somebody else chose “${labelOf(now.mode)}” for this application meanwhile`;
    if (now.updatedAt === begun().updatedAt) return null;
    return `Somebody else ${stored() === null ? "removed" : "changed"} this policy meanwhile`;
  };
  const opening = () => {
    const { application } = props;
    return application && resolveOpening(application, form.values.mode, inherited(), policyWord(application.authType));
  };
  const askRemove = () => {
    const basedOn = state().updatedAt;
    confirm({
      title: "Remove this policy?",
      consequence: props.application
        ? "It is not in force now: the application follows the organization or is public. For an own policy it has to be entered again."
        : "Every application that follows the organization becomes public: anybody may visit it. Visitors' sessions end.",
      action: "Remove the policy",
      done: "The policy was removed.",
      run: () => deletePolicy(props.owner, { basedOn }),
      after: () => form.reset(toValues(null, props.application?.authMode ?? "custom")),
    });
  };

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
        action={props.mayChange ? "Save the policy" : null}
        more={
          <Show when={props.mayChange && stored() !== null && props.application?.authMode !== "custom"}>
            <Button kind="danger" onClick={askRemove}>
              Remove the stored policy…
            </Button>
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
        <Show when={overtaken()}>
          {(title) => (
            <Note alert tone="warn" title={title()}>
              <p>What you have not changed here shows what is stored now. What you have changed would replace it.</p>
              <div class="row">
                <Button small onClick={() => form.reset(storedValues())}>
                  Discard my changes
                </Button>
              </div>
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
        <Show when={opening()}>
          {(what) => (
            <Note tone="warn" title={what().title}>
              <p>{what().says}</p>
            </Note>
          )}
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
