// One entry of the audit log in full.

import { Show, type JSX } from "solid-js";
import type { AuditEvent } from "../../api/types.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Fact } from "../../ui/page.tsx";
import { Badge } from "../../ui/state.tsx";
import { Moment } from "../../ui/time.tsx";

export function Outcome(props: { event: AuditEvent }): JSX.Element {
  // What went well is the rule, so that what was refused stands out.
  return (
    <Show when={props.event.success} fallback={<Badge tone="bad">Refused</Badge>}>
      <span class="state-main muted">
        <Icon name="check" small /> Succeeded
      </span>
    </Show>
  );
}

export function EventDetails(props: { event: AuditEvent; onClose: () => void }): JSX.Element {
  const event = () => props.event;
  const text = (value: string | null | undefined) => value ?? <span class="muted">–</span>;
  return (
    <Dialog drawer title={event().action} onClose={props.onClose}>
      <dl class="facts">
        <Fact name="Outcome">
          <Outcome event={event()} />
        </Fact>
        <Fact name="Time">
          <Moment time={event().time} />
        </Fact>
        <Fact name="Reason">{text(event().reason)}</Fact>
        <Fact name="Actor">{text(event().actor)}</Fact>
        <Fact name="Claimed identity">{text(event().identity)}</Fact>
        <Fact name="Address">{text(event().address)}</Fact>
        <Fact name="Kind of credential">{text(event().authType)}</Fact>
        <Fact name="API key">{text(event().keyId)}</Fact>
        <Fact name="Organization">{text(event().orgName ?? event().orgId)}</Fact>
        <Fact name="Application">{text(event().appName ?? event().appId)}</Fact>
        <Fact name="Request id">{text(event().requestId)}</Fact>
        <Fact name="Row">{event().id}</Fact>
      </dl>
      <Show when={event().details}>
        <section class="stack-tight">
          <h3>Before and after</h3>
          <pre class="code-block">{JSON.stringify(event().details, null, 2)}</pre>
        </section>
      </Show>
    </Dialog>
  );
}
