// The first admin in the making: kept sealed in one row until set-up completes, bound to the browser that began it.

import { t } from "elysia";
import { Value } from "@sinclair/typebox/value";
import { hashSecret } from "../../auth/secrets.ts";
import { readSetting, removeSetting, replaceSetting, takeSetting, writeSetting } from "../../db/settings.ts";
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

/** A draft, and how it was found: sealed. */
export interface StoredDraft {
  draft: Draft;
  sealed: string;
}

/** Begins with this draft, instead of any other. */
export async function saveDraft(deps: ApiDeps, draft: Draft): Promise<void> {
  await writeSetting(deps.db.kysely, draftKey, seal(deps, draft), deps.nowMs());
}

/** Goes on with `draft`; false when `stored` is no longer what is there. */
export function replaceDraft(deps: ApiDeps, stored: StoredDraft, draft: Draft): Promise<boolean> {
  return replaceSetting(deps.db.kysely, draftKey, stored.sealed, seal(deps, draft), deps.nowMs());
}

/** The draft that this browser began, unless it has expired. */
export async function loadDraft(deps: ApiDeps, browserSecret: string | null): Promise<StoredDraft | null> {
  const sealed = browserSecret === null ? null : await readSetting(deps.db.kysely, draftKey);
  if (browserSecret === null || sealed === null) return null;
  const draft: unknown = JSON.parse(deps.sealer.open("setup-draft", draftRow, sealed));
  if (!Value.Check(draftSchema, draft)) return null;
  const isTheirs = draft.browserHash === hashSecret(browserSecret) && draft.expiresAtMs > deps.nowMs();
  return isTheirs ? { draft, sealed } : null;
}

function seal(deps: ApiDeps, draft: Draft): string {
  return deps.sealer.seal("setup-draft", draftRow, JSON.stringify(draft));
}

/** Takes draft and code away; true for the one completion that wins, false when `stored` is no longer what is there. */
export async function consumeDraft(trx: Trx, stored: StoredDraft): Promise<boolean> {
  await removeSetting(trx, codeKey);
  return takeSetting(trx, draftKey, stored.sealed);
}
