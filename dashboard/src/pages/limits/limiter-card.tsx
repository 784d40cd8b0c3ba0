// The failure limiter of an organization or application: its own settings, or those that it inherits.

import { Show, type JSX } from "solid-js";
import { resetRateLimit, saveRateLimit } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import type { RateLimit } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Button } from "../../ui/button.tsx";
import { CheckBox } from "../../ui/choice.tsx";
import { confirm } from "../../ui/confirm.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { formatDuration, plural } from "../../ui/format.ts";
import { Load } from "../../ui/load.tsx";
import { Card } from "../../ui/page.tsx";
import { Badge } from "../../ui/state.tsx";
import { toast } from "../../ui/toast.tsx";

interface Owner {
  /** `/applications/ID`, `/organizations/ID`, or empty for the caller's own organization. */
  owner: string;
  mayChange: boolean;
}

const isApplication = (owner: string) => owner.startsWith("/applications/");
const sourceWords: Record<RateLimit["source"], string> = {
  application: "this application",
  organization: "the organization",
  default: "the server's settings",
};

/** "10 failures within 15 min, then blocked for 30 min". */
function inWords(limit: Omit<RateLimit["inherited"], "source">): string {
  if (!limit.enabled) return "off: nobody is blocked";
  const seconds = (count: number) => formatDuration(count * 1_000);
  return `${plural(limit.maxAttempts, "failure")} within ${seconds(limit.windowDurationSeconds)}, then blocked for ${seconds(limit.blockDurationSeconds)}`;
}

export function LimiterCard(props: Owner): JSX.Element {
  const query = useQuery(() => resources.rateLimit(props.owner));
  return (
    <Card
      title="Limiter"
      lead={`Counts failed log-ins and keys of visitors per address${
        isApplication(props.owner) ? "" : ", for every application without a limiter of its own and for ad-hoc tunnels"
      }. Whoever has a valid session is never locked out.`}
    >
      <Load query={query}>
        {(limit) => (
          <div class="stack-loose">
            <dl class="effective">
              <div class="effective-row">
                <dt>In force</dt>
                <dd>{inWords(limit())}</dd>
                <dd>
                  <Badge tone="accent">
                    {limit().isDefault ? `inherited from ${sourceWords[limit().source]}` : "set here"}
                  </Badge>
                </dd>
              </div>
              <Show when={!limit().isDefault}>
                <div class="effective-row">
                  <dt>Without it</dt>
                  <dd>{inWords(limit().inherited)}</dd>
                  <dd>
                    <Badge>{sourceWords[limit().inherited.source]}</Badge>
                  </dd>
                </div>
              </Show>
            </dl>
            <LimiterForm {...props} limit={limit()} />
          </div>
        )}
      </Load>
    </Card>
  );
}

function LimiterForm(props: Owner & { limit: RateLimit }): JSX.Element {
  const whose = () => (isApplication(props.owner) ? "this application" : "this organization");
  const form = createForm({
    initial: () => toValues(props.limit),
    check: (values) =>
      values.enabled
        ? {
            ...range(values.maxAttempts, "maxAttempts", 1, 100),
            ...range(values.windowDurationSeconds, "windowDurationSeconds", 60, 3600),
            ...range(values.blockDurationSeconds, "blockDurationSeconds", 60, 86_400),
          }
        : {},
    ask: ({ enabled }) =>
      enabled || !props.limit.enabled
        ? null
        : {
            title: `Switch the limiter of ${whose()} off?`,
            consequence:
              "Whoever guesses passwords or keys is no longer blocked, however often it fails. Addresses that are blocked now may try again at once.",
            action: "Switch it off",
          },
    // Only what was changed here: what somebody else has set meanwhile stays.
    submit: async (values, { enabled, ...numbers }) => {
      // What is not in force while it is off need not be a number that could be.
      const changed = values.enabled ? Object.entries(numbers).map(([name, number]) => [name, Number(number)]) : [];
      const saved = await saveRateLimit(props.owner, {
        ...(enabled === undefined ? {} : { enabled }),
        ...(Object.fromEntries(changed) as Partial<Record<keyof typeof numbers, number>>),
      });
      form.reset(toValues(saved));
      toast(`In force now: ${inWords(saved)}.`);
    },
  });
  const askReset = () => {
    const basedOn = props.limit.updatedAt;
    confirm({
      title: `Remove the limiter of ${whose()}?`,
      consequence: `What is inherited counts instead, from ${sourceWords[props.limit.inherited.source]}: ${inWords(props.limit.inherited)}.`,
      action: "Remove it",
      done: "The inherited limiter is in force.",
      run: async () => form.reset(toValues(await resetRateLimit(props.owner, { basedOn }))),
    });
  };
  const numberField = (
    key: "maxAttempts" | "windowDurationSeconds" | "blockDurationSeconds",
    label: string,
    hint: string,
  ) => (
    <TextField
      label={label}
      hint={hint}
      inputmode="numeric"
      disabled={!props.mayChange || !form.values.enabled}
      {...form.field(key)}
    />
  );
  return (
    <Form
      form={form}
      action={props.mayChange ? "Save" : null}
      more={
        <Show when={props.mayChange && !props.limit.isDefault}>
          <Button kind="danger" onClick={askReset}>
            Back to what is inherited…
          </Button>
        </Show>
      }
    >
      <CheckBox
        label="Block addresses that fail too often"
        checked={form.values.enabled}
        disabled={!props.mayChange}
        onChecked={(checked) => form.set("enabled", checked)}
      />
      <div class="grid-fields">
        {numberField("maxAttempts", "Failures", "1 to 100")}
        {numberField("windowDurationSeconds", "Within (seconds)", "60 to 3,600")}
        {numberField("blockDurationSeconds", "Blocked for (seconds)", "60 to 86,400")}
      </div>
    </Form>
  );
}

const toValues = (limit: RateLimit) => ({
  enabled: limit.enabled,
  maxAttempts: String(limit.maxAttempts),
  windowDurationSeconds: String(limit.windowDurationSeconds),
  blockDurationSeconds: String(limit.blockDurationSeconds),
});

function range(text: string, field: string, least: number, most: number): Record<string, string> {
  const value = Number(text);
  return text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most
    ? {}
    : { [field]: `A whole number from ${least} to ${most}.` };
}
