// What is in force for an application, part by part, and where each part comes from.

import { Show, type JSX } from "solid-js";
import * as resources from "../../api/resources.ts";
import type { EffectivePolicy, PolicySource } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { formatDuration, plural } from "../../ui/format.ts";
import { Load } from "../../ui/load.tsx";
import { Note } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { Badge, policyWord } from "../../ui/state.tsx";

const sourceWords: Record<PolicySource, string> = {
  application: "this application",
  organization: "organization",
  default: "server's settings",
  none: "not set",
};

export function EffectiveCard(props: { applicationId: string }): JSX.Element {
  const query = useQuery(() => resources.effectivePolicy(props.applicationId));
  return (
    <Card title="In force now" lead="What a visitor meets, and where each part comes from.">
      <Load query={query}>{(effective) => <Parts effective={effective()} />}</Load>
    </Card>
  );
}

function Parts(props: { effective: EffectivePolicy }): JSX.Element {
  const policy = () => props.effective;
  const list = (values: string[], none: string) => (values.length === 0 ? none : values.join(", "));
  return (
    <div class="stack">
      <Show when={policy().isPublic}>
        <Note tone="warn" title="Open to the world">
          <p>{policy().reason ?? "Anybody on the internet gets in."}</p>
        </Note>
      </Show>
      <Show when={policy().kind === "deny"}>
        <Note tone="bad" title="Nobody gets in">
          <p>{policy().reason}</p>
        </Note>
      </Show>
      <dl class="effective">
        <Part name="Log-in" source={policy().authentication.source}>
          {policy().kind === "protected"
            ? policyWord(policy().authentication.authType)
            : policy().isPublic
              ? "None"
              : "Denied"}
          <Show when={policy().authentication.sessionHours}>{(hours) => <>, for {plural(hours(), "hour")}</>}</Show>
        </Part>
        <Part name="Addresses" source={policy().addresses.source}>
          {list(policy().addresses.allowIps, "from everywhere")}
          <Show when={policy().addresses.denyIps.length > 0}>; never {policy().addresses.denyIps.join(", ")}</Show>
        </Part>
        <Part name="API keys" source={policy().apiKeys.source}>
          {policy().apiKeys.enabled ? "pass" : "do not pass"}
        </Part>
        <Part name="Limiter" source={policy().limiter.source}>
          <Show when={policy().limiter.enabled} fallback="off">
            {plural(policy().limiter.maxAttempts ?? 0, "failure")} within{" "}
            {formatDuration((policy().limiter.windowDurationSeconds ?? 0) * 1000)}, then blocked for{" "}
            {formatDuration((policy().limiter.blockDurationSeconds ?? 0) * 1000)}
          </Show>
        </Part>
      </dl>
    </div>
  );
}

function Part(props: { name: string; source: PolicySource; children: JSX.Element }): JSX.Element {
  return (
    <div class="effective-row">
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
      <dd>
        <Badge tone={props.source === "none" ? "warn" : "accent"}>{sourceWords[props.source]}</Badge>
      </dd>
    </div>
  );
}
