// The limiter of an application: how many failed attempts an address has.

import { useQuery } from "@tanstack/solid-query";
import { Show, type JSX } from "solid-js";
import { resetRateLimit, saveRateLimit } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import type { RateLimit } from "../../api/types.ts";
import { Button } from "../../ui/button.tsx";
import { CheckBox } from "../../ui/choice.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form, guardUnsaved } from "../../ui/form.tsx";
import { Load } from "../../ui/load.tsx";
import { Card } from "../../ui/page.tsx";
import { attempt, toast } from "../../ui/toast.tsx";

export function LimiterCard(props: { applicationId: string; mayChange: boolean }): JSX.Element {
  const query = useQuery(() => ({ ...resources.rateLimit(props.applicationId), refetchOnWindowFocus: false }));
  return (
    <Card
      title="Limiter"
      lead="Counts failed log-ins and keys per address. A visitor with a valid session is never locked out."
    >
      <Load query={query}>
        {(limit) => (
          <LimiterForm
            limit={limit()}
            applicationId={props.applicationId}
            mayChange={props.mayChange}
            reload={async () => (await query.refetch()).data ?? limit()}
          />
        )}
      </Load>
    </Card>
  );
}

function LimiterForm(props: {
  limit: RateLimit;
  applicationId: string;
  mayChange: boolean;
  reload: () => Promise<RateLimit>;
}): JSX.Element {
  const form = createForm({
    initial: toValues(props.limit),
    check: (values) => ({
      ...range(values.maxAttempts, "maxAttempts", 1, 100),
      ...range(values.windowDurationSeconds, "windowDurationSeconds", 60, 3600),
      ...range(values.blockDurationSeconds, "blockDurationSeconds", 60, 86_400),
    }),
    submit: async (values) => {
      await saveRateLimit(props.applicationId, {
        enabled: values.enabled,
        maxAttempts: Number(values.maxAttempts),
        windowDurationSeconds: Number(values.windowDurationSeconds),
        blockDurationSeconds: Number(values.blockDurationSeconds),
      });
      toast("Saved.");
    },
  });
  guardUnsaved(form.dirty);
  const backToDefaults = async () => {
    await resetRateLimit(props.applicationId);
    form.reset(toValues(await props.reload()));
  };
  const field = (
    key: "maxAttempts" | "windowDurationSeconds" | "blockDurationSeconds",
    label: string,
    hint: string,
  ) => (
    <TextField
      label={label}
      hint={hint}
      inputmode="numeric"
      disabled={!props.mayChange || !form.values.enabled}
      value={form.values[key]}
      onValue={(value) => form.set(key, value)}
      error={form.error(key)}
    />
  );
  return (
    <Form
      form={form}
      start
      actions={
        <Show when={props.mayChange}>
          <Button kind="primary" type="submit" busy={form.busy()} disabled={!form.dirty()}>
            Save
          </Button>
          <Button onClick={() => void attempt(backToDefaults, "The defaults are in force.")}>
            Back to the defaults
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
        {field("maxAttempts", "Failures", "1 to 100")}
        {field("windowDurationSeconds", "Within (seconds)", "60 to 3,600")}
        {field("blockDurationSeconds", "Blocked for (seconds)", "60 to 86,400")}
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
  return Number.isInteger(value) && value >= least && value <= most
    ? {}
    : { [field]: `A whole number from ${least} to ${most}.` };
}
