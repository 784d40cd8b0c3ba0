// Reading and changing the visitor policies of organizations and applications.

import { OidcRefused, type OidcClient } from "../../auth/oidc-types.ts";
import type { Passwords } from "../../auth/passwords.ts";
import type { Sealer } from "../../auth/sealing.ts";
import { createSecret } from "../../auth/secrets.ts";
import type { Database, Trx } from "../../db/database.ts";
import { findPolicy, findPolicyOwner, removePolicy, replacePolicy, type PolicyRow } from "../../db/policies.ts";
import { removeVisitorSessions } from "../../db/visitor-logins.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { changedMeanwhile, checkBasedOn } from "../changes.ts";
import type { Audit, AuditEntry } from "../deps.ts";
import type { LimiterSettings } from "../../policy/types.ts";
import { effectiveOf } from "./in-force.ts";
import type { EffectiveView, OidcTestView, PolicyBody, PolicyView } from "./model.ts";
import { sealedRow } from "../sealed-values.ts";
import { loadPolicy } from "./stored.ts";
import { checkBasicPassword, checkIssuer, checkPolicyBody } from "./validate.ts";
import { effectiveView, policyView } from "./views.ts";

/** Whose policy: `appId` null = the organization's. The caller has checked that the application is the organization's. */
export interface PolicyOwner {
  orgId: string;
  appId: string | null;
}

/** Who changes it, for the audit row: what `changeBy(caller, request)` gives. */
export type PolicyChange = Pick<AuditEntry, "actorId" | "actorName" | "authType" | "address" | "requestId">;

export interface Policies {
  /** The stored policy; null when there is none. */
  getPolicyView(owner: PolicyOwner): Promise<PolicyView | null>;
  /**
   * Stores a policy. Ends the sessions of the one before; shards follow within a second. Throws `validation`, `conflict` when the
   * policy before is not the one that this is based on, and what `mustStillMay`
   * throws: a password may have been hashed before the transaction began.
   */
  putPolicy(
    owner: PolicyOwner,
    body: PolicyBody,
    change: PolicyChange,
    mustStillMay?: (trx: Trx) => Promise<void>,
  ): Promise<PolicyView>;
  /** Removes a policy. Throws `conflict` when it is not the one that this is based on, `not_found` when there is none. */
  deletePolicy(owner: PolicyOwner, change: PolicyChange, basedOn?: string | null): Promise<void>;
  /** What is in force for an application. Throws `not_found`. */
  effectiveView(appId: string): Promise<EffectiveView>;
  /** Whether an issuer answers as one. Throws `validation` for what can't be an issuer. */
  testProvider(issuerUrl: string): Promise<OidcTestView>;
}

export interface PoliciesDeps {
  db: Database;
  passwords: Passwords;
  sealer: Sealer;
  oidc: OidcClient;
  audit: Pick<Audit, "within">;
  nowMs: () => number;
  /** Issuers may be plain http on loopback: development only. */
  allowHttp: boolean;
  /** What operators register at a provider. */
  redirectUri: string;
  usualLimiter: LimiterSettings;
}

export function createPolicies(deps: PoliciesDeps): Policies {
  const { db, sealer } = deps;

  /** The secret columns: new ones as given, others as stored where they still mean the same. */
  async function secretsOf(
    ownerId: string,
    body: PolicyBody,
    stored: PolicyRow | null,
  ): Promise<Pick<PolicyRow, "basic_password_hash" | "oidc_client_secret">> {
    const none = { basic_password_hash: null, oidc_client_secret: null };
    if (body.authType === "basic") {
      if (body.basicPassword !== undefined) {
        checkBasicPassword(body.basicPassword);
        return { ...none, basic_password_hash: await deps.passwords.hash(body.basicPassword) };
      }
      const kept = stored?.auth_type === "basic" ? stored.basic_password_hash : null;
      if (kept === null) throw new AppError("validation", "basicPassword is required.", { field: "basicPassword" });
      return { ...none, basic_password_hash: kept };
    }
    if (body.authType !== "oidc") return none;
    const { oidcClientSecret: secret } = body;
    if (secret === null) return none;
    if (secret !== undefined)
      return { ...none, oidc_client_secret: sealer.seal("oidc-secret", sealedRow.policy(ownerId), secret) };
    const kept = stored?.auth_type === "oidc" ? stored.oidc_client_secret : null;
    // Kept for the provider it was entered for: pointed at another one, it would be handed to whoever runs that.
    const isSame = stored?.oidc_issuer_url === body.oidcIssuerUrl && stored?.oidc_client_id === body.oidcClientId;
    if (kept !== null && !isSame) {
      const message = "oidcClientSecret must be entered again (or null) when the issuer or client id changes.";
      throw new AppError("validation", message, { field: "oidcClientSecret" });
    }
    return { ...none, oidc_client_secret: kept };
  }

  return {
    async getPolicyView(owner) {
      const row = await findPolicy(db.kysely, ownerIdOf(owner));
      return row === null ? null : policyView(row, loadPolicy(row, sealer));
    },
    async putPolicy(owner, body, change, mustStillMay) {
      const ownerId = ownerIdOf(owner);
      const plain = checkPolicyBody(body, deps.allowHttp);
      const before = await findPolicy(db.kysely, ownerId);
      checkBasedOn("The policy", body.basedOn, before?.updated_at);
      const secrets = await secretsOf(ownerId, body, before);
      const row: PolicyRow = {
        ...plain,
        ...secrets,
        id: before?.id ?? newId("pol"),
        owner_id: ownerId,
        org_id: owner.orgId,
        app_id: owner.appId,
        version: createSecret(),
        // No two versions have one time, whatever the clock does: `basedOn` tells them apart by it.
        updated_at: Math.max(deps.nowMs(), (before?.updated_at ?? 0) + 1),
      };
      await db.transaction(async (trx) => {
        await mustStillMay?.(trx);
        // Secrets were judged by what was stored then: whoever was faster wins, and this one is told.
        if (!(await replacePolicy(trx, row, before?.version ?? null))) throw changedMeanwhile("The policy");
        if (before !== null) await removeVisitorSessions(trx, before.version);
        const details = { before: before === null ? null : shown(before), after: shown(row) };
        await deps.audit.within(trx, { ...change, ...owner, action: "policy.changed", success: true, details });
        const action = before === null ? "created" : "updated";
        await db.changes.record(trx, { kind: "policy", refId: ownerId, orgId: owner.orgId, action });
      });
      return policyView(row, loadPolicy(row, sealer));
    },
    async deletePolicy(owner, change, basedOn) {
      const ownerId = ownerIdOf(owner);
      await db.transaction(async (trx) => {
        const before = await removePolicy(trx, ownerId);
        checkBasedOn("The policy", basedOn, before?.updated_at);
        if (before === null) throw new AppError("not_found");
        await removeVisitorSessions(trx, before.version);
        const details = { before: shown(before), after: null };
        await deps.audit.within(trx, { ...change, ...owner, action: "policy.deleted", success: true, details });
        await db.changes.record(trx, { kind: "policy", refId: ownerId, orgId: owner.orgId, action: "deleted" });
      });
    },
    async effectiveView(appId) {
      const owner = await findPolicyOwner(db.kysely, appId);
      if (owner === null) throw new AppError("not_found");
      return effectiveView(await effectiveOf({ kysely: db.kysely, sealer, usualLimiter: deps.usualLimiter }, owner));
    },
    async testProvider(issuerUrl) {
      const url = checkIssuer(issuerUrl, deps.allowHttp, "issuerUrl");
      const { redirectUri } = deps;
      try {
        return { success: true, problem: null, redirectUri, ...(await deps.oidc.test(url)) };
      } catch (error) {
        if (!(error instanceof OidcRefused)) throw error;
        const nothing = {
          issuer: null,
          authorizationEndpoint: null,
          tokenEndpoint: null,
          pkce: false,
          logout: false,
          keys: 0,
        };
        return { success: false, problem: error.message, redirectUri, ...nothing };
      }
    },
  };

  /** A row as the audit log shows it: no secret, not even a sealed one. */
  function shown(row: PolicyRow): PolicyView {
    return policyView(row, loadPolicy(row, sealer));
  }
}

/** The id under which an owner's policy and limiter are stored. */
export function ownerIdOf(owner: PolicyOwner): string {
  return owner.appId ?? owner.orgId;
}
