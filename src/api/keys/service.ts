// Making, listing and revoking API keys.

import { createToken, hashToken, tokenPrefix } from "../../auth/tokens.ts";
import {
  apiKeySorts,
  deleteApiKey,
  findApiKeyListed,
  insertApiKey,
  listApiKeys,
  type ApiKeyRow,
} from "../../db/api-keys.ts";
import { findApplication } from "../../db/applications.ts";
import { ForeignKeyViolation } from "../../db/engine.ts";
import { findOrganization } from "../../db/organizations.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import { choiceOf, isChosen, wordsOf } from "../filters.ts";
import { checkRoom } from "../organizations/room.ts";
import { parsePage, parseSort, toPage } from "../paging.ts";
import type { Scope } from "../scopes.ts";
import { toKeyAnswer } from "./model.ts";

const dayMs = 86_400_000;

export interface NewKeyBody {
  appId?: string | null;
  description: string;
  scope?: ApiKeyRow["scope"];
  /** Days. */
  expiresIn?: number | null;
}

export interface KeysQuery {
  limit?: number;
  cursor?: string;
  sort?: string;
  org?: string;
  app?: string;
  q?: string;
  state?: string;
}

export type Keys = ReturnType<typeof createKeys>;

export function createKeys(deps: ApiDeps) {
  const { db, audit, nowMs } = deps;

  return {
    async list(orgId: string | null, query: KeysQuery) {
      const sort = parseSort(query.sort, apiKeySorts, "-createdAt");
      const page = parsePage(query, sort);
      const state = choiceOf(query.state);
      const filter = {
        org: choiceOf(orgId ?? query.org),
        app: choiceOf(query.app),
        ...wordsOf(query.q),
        expired: state === null ? null : isChosen(state, "expired"),
        nowMs: nowMs(),
      };
      const found = await listApiKeys(db.kysely, filter, sort.column, page);
      const { rows, nextCursor } = toPage(found, page, sort, (row) => ({
        value: sort.column === apiKeySorts.lastUsed ? row.last_used_at : row.created_at,
        id: row.id,
      }));
      return { keys: rows.map(toKeyAnswer), nextCursor };
    },
    /** Makes a key of the organization, or of one of its applications. The raw key is in the answer and nowhere else. */
    async create(scope: Scope, orgId: string, body: NewKeyBody) {
      const rawKey = createToken("dlk");
      const id = newId("key", nowMs());
      const appId = body.appId ?? null;
      const row: ApiKeyRow = {
        id,
        org_id: orgId,
        app_id: appId,
        key_hash: hashToken(rawKey),
        prefix: tokenPrefix(rawKey),
        description: body.description.trim(),
        scope: body.scope ?? "tunnel",
        created_by: scope.caller.account.id,
        created_at: nowMs(),
        expires_at: body.expiresIn == null ? null : nowMs() + body.expiresIn * dayMs,
        last_used_at: 0,
      };
      try {
        await db.transaction(async (trx) => {
          if ((await findOrganization(trx, orgId)) === null) throw unknown("orgId", "organization of this server");
          if (appId !== null && (await findApplication(trx, orgId, appId)) === null) {
            throw unknown("appId", "application of this organization");
          }
          await checkRoom(trx, deps.settings.room, "api_keys", orgId);
          await insertApiKey(trx, row);
          await db.changes.record(trx, { kind: "api_key", refId: id, orgId, action: "created" });
          await audit.within(trx, {
            ...changeBy(scope.caller, scope.request),
            action: "api_key.created",
            orgId,
            appId,
            keyId: id,
            details: { after: shown(row) },
          });
        });
      } catch (error) {
        if (error instanceof ForeignKeyViolation) throw unknown(appId === null ? "orgId" : "appId", "known one");
        throw error;
      }
      const key = await findApiKeyListed(db.kysely, id);
      if (key === null) throw new AppError("not_found");
      return { key: toKeyAnswer(key), rawKey };
    },
    /** Revokes a key: agents and visitors that use it are refused, and tunnels opened with it close. */
    async remove(scope: Scope, id: string): Promise<void> {
      await db.transaction(async (trx) => {
        const row = await deleteApiKey(trx, scope.orgId, id);
        if (row === null) throw new AppError("not_found");
        await db.changes.record(trx, { kind: "api_key", refId: id, orgId: row.org_id, action: "deleted" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: "api_key.revoked",
          orgId: row.org_id,
          appId: row.app_id,
          keyId: id,
          details: { before: shown(row) },
        });
      });
      await deps.tunnels.disconnect({ keyId: id }, "credential_revoked");
    },
  };
}

function shown(row: ApiKeyRow) {
  return { prefix: row.prefix, description: row.description, scope: row.scope, expiresAt: row.expires_at };
}

function unknown(field: string, what: string): AppError {
  return new AppError("validation", `${field} is no ${what}.`, { field });
}
