// The first admin in the making: kept sealed in one row until set-up completes, bound to the browser that began it.

import { t } from "elysia";
import { Value } from "@sinclair/typebox/value";
import { hashSecret } from "../../auth/secrets.ts";
import { readSetting, removeSetting, writeSetting } from "../../db/settings.ts";
import type { Trx } from "../../db/database.ts";
import type { ApiDeps } from "../deps.ts";
import { closed } from "../schemas.ts";
import { sealedRow } from "../sealed-values.ts";

const draftSchema = closed({
  /** Hash of the cookie. */
  browserHash: t.String(),
  accountId: t.String(),
  username: t.String(),
  usernameKey: t.String(),
  passwordHash: t.String(),
  seed: t.String(),
  /** Step of the code that proved the seed; null before. */
  provenStep: t.Nullable(t.Integer()),
  recoveryHashes: t.Array(t.String()),
  expiresAtMs: t.Integer(),
});

export type Draft = typeof draftSchema.static;

const codeKey = "setup.code";
const draftKey = "setup.draft";
const draftRow = sealedRow.setting(draftKey);
export const draftTtlMs = 30 * 60_000;

/** Stores the hash of a new one-time code instead of any older one. The code is for the log, once. */
export async function storeSetupCode(deps: Pick<ApiDeps, "db" | "nowMs">, code: string): Promise<void> {
  await writeSetting(deps.db.kysely, codeKey, hashSecret(code), deps.nowMs());
}

export async function isSetupCode(deps: ApiDeps, code: string): Promise<boolean> {
  // Hashes are compared, so that the time says nothing about the code.
  return (await readSetting(deps.db.kysely, codeKey)) === hashSecret(code);
}

export async function saveDraft(deps: ApiDeps, draft: Draft): Promise<void> {
  const sealed = deps.sealer.seal("setup-draft", draftRow, JSON.stringify(draft));
  await writeSetting(deps.db.kysely, draftKey, sealed, deps.nowMs());
}

/** The draft that this browser began, unless it has expired. */
export async function loadDraft(deps: ApiDeps, browserSecret: string | null): Promise<Draft | null> {
  const sealed = browserSecret === null ? null : await readSetting(deps.db.kysely, draftKey);
  if (browserSecret === null || sealed === null) return null;
  const draft: unknown = JSON.parse(deps.sealer.open("setup-draft", draftRow, sealed));
  if (!Value.Check(draftSchema, draft)) return null;
  return draft.browserHash === hashSecret(browserSecret) && draft.expiresAtMs > deps.nowMs() ? draft : null;
}

/** Takes draft and code away; true for the one completion that wins. */
export async function consumeDraft(trx: Trx): Promise<boolean> {
  await removeSetting(trx, codeKey);
  return removeSetting(trx, draftKey);
}
