// The parts of a policy that send visitors to an OpenID Connect provider, with a test of that provider.

import { createSignal, Index, Show, type JSX } from "solid-js";
import { testProvider } from "../../api/changes.ts";
import { visitorRedirectUri } from "../../api/session.ts";
import type { Policy, ProviderTest } from "../../api/types.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { TextField } from "../../ui/field.tsx";
import { plural } from "../../ui/format.ts";
import type { FormState } from "../../ui/form.tsx";
import { Note, ProblemNote } from "../../ui/note.tsx";
import { TagsField } from "../../ui/tags.tsx";
import type { ClaimRow, PolicyValues } from "./policy-form.ts";

export function OidcFields(props: { form: FormState<PolicyValues>; stored: Policy | null }): JSX.Element {
  const { form } = props;
  return (
    <div class="subform">
      <TextField
        label="Issuer URL"
        type="url"
        mono
        placeholder="https://accounts.google.com"
        {...form.field("oidcIssuerUrl")}
      />
      <ProviderCheck issuerUrl={form.values.oidcIssuerUrl.trim()} />
      <div class="stack-tight">
        <span class="field-label">Redirect URI to register at the provider</span>
        <div class="secret">
          <code>{visitorRedirectUri()}</code>
          <CopyButton text={visitorRedirectUri()} what="redirect URI" />
        </div>
      </div>
      <div class="grid-fields">
        <TextField label="Client id" mono {...form.field("oidcClientId")} />
        <TextField
          label="Client secret"
          type="password"
          autocomplete="new-password"
          hint={
            props.stored?.hasOidcClientSecret
              ? "Leave it empty to keep the stored one."
              : "Leave it empty for a public client."
          }
          {...form.field("oidcClientSecret")}
        />
      </div>
      <TagsField
        label="Scopes"
        values={form.values.oidcScopes}
        onValues={(values) => form.set("oidcScopes", values)}
        error={form.error("oidcScopes")}
      />
      <TagsField
        label="Allowed e-mail domains"
        optional
        placeholder="example.com"
        hint="Empty: everybody whom the provider lets in. With domains, the provider must say that the address is verified."
        values={form.values.oidcAllowedDomains}
        onValues={(values) => form.set("oidcAllowedDomains", values)}
        error={form.error("oidcAllowedDomains")}
      />
      <Claims
        rows={form.values.oidcRequiredClaims}
        onRows={(rows) => form.set("oidcRequiredClaims", rows)}
        error={form.error("oidcRequiredClaims")}
      />
    </div>
  );
}

/** Asks the provider for its configuration, from the server's side. */
function ProviderCheck(props: { issuerUrl: string }): JSX.Element {
  const [busy, setBusy] = createSignal(false);
  const [tested, setTested] = createSignal<{ url: string; answer?: ProviderTest; problem?: unknown } | null>(null);
  /** Of the URL that stands in the field: what was found out about another says nothing of it. */
  const current = () => (tested()?.url === props.issuerUrl ? tested() : null);
  const run = async () => {
    const url = props.issuerUrl;
    setBusy(true);
    setTested(null);
    try {
      setTested({ url, answer: await testProvider(url) });
    } catch (problem) {
      setTested({ url, problem });
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="stack-tight">
      <div class="row">
        <Button icon="pulse" busy={busy()} disabled={props.issuerUrl === ""} onClick={() => void run()}>
          Test this provider
        </Button>
      </div>
      <div role="status">
        <Show when={current()?.answer}>
          {(answer) => (
            <Note
              tone={answer().success ? "good" : "bad"}
              title={answer().success ? "The provider answers" : "This provider can't be used"}
            >
              <Show when={answer().success} fallback={<p>{answer().problem}</p>}>
                <p class="small">
                  Issuer <code>{answer().issuer}</code>, {plural(answer().keys, "signing key")},{" "}
                  {answer().pkce ? "PKCE supported" : "PKCE not announced"},{" "}
                  {answer().logout ? "log-out supported" : "no log-out at the provider"}.
                </p>
              </Show>
            </Note>
          )}
        </Show>
      </div>
      <Show when={current()?.problem}>{(error) => <ProblemNote error={error()} />}</Show>
    </div>
  );
}

function Claims(props: { rows: ClaimRow[]; onRows: (rows: ClaimRow[]) => void; error: string | null }): JSX.Element {
  let list!: HTMLFieldSetElement;
  const add = () => {
    props.onRows([...props.rows, { name: "", value: "" }]);
    [...list.querySelectorAll(".claim")].at(-1)?.querySelector("input")?.focus();
  };
  const change = (index: number, part: Partial<ClaimRow>) =>
    props.onRows(props.rows.map((row, at) => (at === index ? { ...row, ...part } : row)));
  return (
    <fieldset class="claims" ref={list}>
      <legend class="field-label">
        Required claims <span class="field-optional">(optional)</span>
      </legend>
      <p class="field-hint">Each must be equal, or be a list that contains the value. true and false are booleans.</p>
      <Index each={props.rows}>
        {(row, index) => (
          <div class="claim">
            <input
              class="input input-mono"
              aria-label={`Claim ${index + 1}`}
              placeholder="groups"
              value={row().name}
              onInput={(event) => change(index, { name: event.currentTarget.value })}
            />
            <input
              class="input input-mono"
              aria-label={`Value of claim ${index + 1}`}
              placeholder="staff"
              value={row().value}
              onInput={(event) => change(index, { value: event.currentTarget.value })}
            />
            <IconButton
              icon="close"
              label={`Remove claim ${index + 1}`}
              onClick={() => props.onRows(props.rows.filter((_, at) => at !== index))}
            />
          </div>
        )}
      </Index>
      <Show when={props.error}>
        <p class="field-error">{props.error}</p>
      </Show>
      <div class="row">
        <Button small icon="plus" onClick={add}>
          Add a claim
        </Button>
      </div>
    </fieldset>
  );
}
