// A storm of changes over the admin API, remembering everything that was acknowledged, until the server is gone.

import type { AdminApi } from "./admin-api.ts";

/** What the server said is done. */
export interface Acknowledged {
  /** Rows that must exist, by table. */
  rows: { table: "accounts" | "api_keys" | "whitelist_entries" | "organizations"; id: string }[];
  /** By application: the number that its policy was last set to, and the one that was on its way. */
  policies: Map<string, { done: number; sent: number }>;
  /** Every call: its request id, when it began and when its answer came (`performance.now()`). */
  calls: { requestId: string; beganAtMs: number; atMs: number }[];
}

export interface Storm {
  readonly acknowledged: Acknowledged;
  /** Call it when the server was killed; resolves when every lane has met its end. */
  stop(): Promise<void>;
}

/** The address that a policy denies when it was set to `number`. */
export function addressOf(number: number): string {
  return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}

/** Begins to write with several calls at a time. `apps` get a policy again and again; `numbers` go on where they were. */
export function startStorm(api: AdminApi, orgId: string, apps: readonly string[], startAt: number): Storm {
  const acknowledged: Acknowledged = { rows: [], policies: new Map(), calls: [] };
  let next = startAt;
  const call = async (method: string, path: string, body: unknown): Promise<Record<string, unknown>> => {
    const beganAtMs = performance.now();
    const answer = await api.call(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    acknowledged.calls.push({ requestId: answer.requestId, beganAtMs, atMs: performance.now() });
    return answer.body;
  };
  const create = async (table: Acknowledged["rows"][number]["table"], path: string, kind: string, body: unknown) => {
    const made = (await call("POST", path, body))[kind] as { id: string };
    acknowledged.rows.push({ table, id: made.id });
  };
  const setPolicy = async (appId: string): Promise<void> => {
    const number = next++;
    const state = acknowledged.policies.get(appId) ?? { done: 0, sent: 0 };
    acknowledged.policies.set(appId, state);
    state.sent = number;
    await call("PUT", `/admin/applications/${appId}/policy`, { authType: "api_key", denyIps: [addressOf(number)] });
    state.done = number;
  };
  const works: (() => Promise<void>)[] = [
    () => create("accounts", "/admin/accounts", "account", { username: `storm-${next++}`, orgId }),
    () => create("api_keys", "/admin/api-keys", "key", { orgId, description: "storm", scope: "visitor" }),
    () => create("whitelist_entries", "/admin/whitelist", "entry", { ipRange: addressOf(next++) }),
    () => create("organizations", "/admin/organizations", "organization", { name: `storm ${next++}` }),
    // One lane per application: two would overtake each other.
    ...apps.map((appId) => () => setPolicy(appId)),
  ];
  let stopped = false;
  const lane = async (work: () => Promise<void>): Promise<void> => {
    while (!stopped) {
      try {
        await work();
      } catch (error) {
        // A refusal is a fault of the test; anything else is a connection's end: the server's, or an earlier one's.
        if (error instanceof Error && /^(POST|PUT) /.test(error.message)) throw error;
      }
    }
  };
  const over = Promise.all(works.map(lane));
  return {
    acknowledged,
    async stop() {
      stopped = true;
      await over;
    },
  };
}
