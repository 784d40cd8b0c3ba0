// The calls of agents: register, check a credential, and give a tunnel up.

import { t } from "elysia";
import { bearerOf, isUnguessable } from "../../auth/tokens.ts";
import { resolveCredential } from "./credential.ts";
import { AppError } from "../../lib/errors.ts";
import type { TunnelCredential } from "../../db/credentials.ts";
import type { ApiDeps } from "../deps.ts";
import { answerRefusal } from "../errors.ts";
import { blocked, noteFailure } from "../limited.ts";
import { factsOf } from "../request.ts";
import { newRoutes } from "../routes.ts";
import { answers, bodyErrors, closed, idParams, noBody, successSchema, text, whole } from "../schemas.ts";
import type { TunnelRegistry } from "./registry.ts";

/** What an agent may say of itself; the table in docs/protocol.md has a row for each. */
export const registerBody = closed({
  subdomain: t.Optional(text(63, { minLength: 1, description: "The wanted name; left out, the server chooses one." })),
  agentId: text(100, {
    minLength: 8,
    pattern: "^[A-Za-z0-9_-]+$",
    description: "A-Z, a-z, 0-9, _ and - only, and the same for every start of one agent.",
  }),
  generation: whole({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    description: "Rises whenever the agent starts anew.",
  }),
  version: text(32, { minLength: 1, description: "The agent's version (semver)." }),
  capabilities: t.Optional(t.Array(text(32), { maxItems: 32 })),
  pool: t.Optional(t.Boolean({ description: "Share the name with other agents of the account." })),
  protocol: t.Optional(t.Union([t.Literal("http"), t.Literal("tcp")])),
  port: t.Optional(
    whole({ minimum: 1, maximum: 65_535, description: "The wanted port of a TCP tunnel; had if possible." }),
  ),
  exactPort: t.Optional(t.Boolean({ description: "No other port will do." })),
  connections: t.Optional(whole({ minimum: 1, maximum: 64, description: "Sessions that the agent lacks." })),
  target: t.Optional(
    text(255, {
      minLength: 1,
      pattern: "^[!-~]+$",
      description:
        "What the agent forwards to, in printable ASCII without spaces: `http://localhost:3000`. Shown to people, never used or trusted.",
    }),
  ),
});
const registered = closed({
  success: t.Literal(true),
  subdomain: t.String(),
  url: t.String(),
  tunnelId: t.String(),
  port: t.Optional(t.Integer()),
  ticket: t.String(),
  tickets: t.Array(t.String()),
  session: closed({ url: t.String(), path: t.String(), connections: t.Integer() }),
});

const checked = closed({
  success: t.Literal(true),
  name: t.String({ description: "The account's name, or what the API key is for." }),
});

/** POST /_tunnel/register, GET /_tunnel/credential and DELETE /_tunnel/{id}. Refusals say whether and when retrying can help. */
export function createTunnelRoutes(deps: ApiDeps, registry: TunnelRegistry) {
  /**
   * Judges a bearer through `attempt` unless too many wrong ones came from its address. `attempt` audits what it refuses; `isCounted`
   * says whether the limiter counts a wrong bearer.
   */
  async function limited<T>(
    action: string,
    request: Request,
    attempt: (bearer: string | null, isCounted: boolean) => Promise<T | AppError>,
  ): Promise<T | AppError> {
    const { address, network, requestId } = factsOf(request);
    const bearer = bearerOf(request.headers.get("authorization"));
    const key = { scope: "register", subject: network, rule: deps.settings.loginLimit };
    const retryAfterMs = deps.limiter.blockedForMs(key);
    if (retryAfterMs > 0 && (bearer === null || !isUnguessable(bearer)))
      return blocked(deps.audit, { action, reason: "rate_limited", address, requestId }, retryAfterMs);
    const result = await attempt(bearer, retryAfterMs === 0 && network !== null);
    if (!(result instanceof AppError) || result.code !== "bad_token") return result;
    if (retryAfterMs > 0) return new AppError("rate_limited", undefined, { retryAfterMs });
    // Counted afterwards: many agents may come back from one address at once.
    await deps.limiter.fail([key]);
    return result;
  }

  /** The credential alone: neither the caller's address nor any name is judged. */
  function limitedCredential(action: string, request: Request): Promise<TunnelCredential | AppError> {
    return limited(action, request, async (bearer, isCounted) => {
      const { address, requestId } = factsOf(request);
      const result = await resolveCredential(deps.db.kysely, bearer, deps.nowMs());
      if (!(result instanceof AppError)) return result;
      const entry = { action, reason: result.code, address, requestId };
      noteFailure(deps.audit, isCounted && result.code === "bad_token", entry);
      return result;
    });
  }

  return newRoutes("/_tunnel", "agents", [{ agent: [] }])
    .post(
      "/register",
      async ({ body, request, set }) => {
        const { address, requestId } = factsOf(request);
        const result = await limited("tunnel.refused", request, (bearer, isCounted) =>
          registry.register({ bearer, body, address, requestId, isCounted }),
        );
        return result instanceof AppError ? (answerRefusal(result, request, set) as never) : result;
      },
      {
        body: registerBody,
        response: answers({ 200: registered }, ...bodyErrors, ...registerErrors),
        detail: {
          summary: "Register an agent for a tunnel",
          description:
            "The agent then opens the answer's `session.url` as a WebSocket (`GET /_tunnel/s/{shard}?ticket=`).",
        },
      },
    )
    .get(
      "/credential",
      async ({ request, set }) => {
        const credential = await limitedCredential("tunnel.check_refused", request);
        if (credential instanceof AppError) return answerRefusal(credential, request, set) as never;
        return { success: true as const, name: credential.actorName };
      },
      {
        response: answers({ 200: checked }, ...tokenErrors),
        detail: {
          summary: "Check a token or an API key",
          description: "Whether agents may use it at all; from which addresses and for which names is not judged.",
        },
      },
    )
    .delete(
      "/:id",
      async ({ params, request, set }) => {
        const credential = await limitedCredential("tunnel.release_refused", request);
        if (credential instanceof AppError) return answerRefusal(credential, request, set) as never;
        if (!registry.release(params.id, credential.holderId)) {
          const { kind: authType, accountId: actorId, keyId, orgId, actorName } = credential;
          const { address, requestId } = factsOf(request);
          const who = { authType, actorId, keyId, orgId, actorName, address, requestId };
          deps.audit.refused({ action: "tunnel.release_refused", reason: "not_found", ...who });
          return answerRefusal(new AppError("not_found"), request, set) as never;
        }
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...bodyErrors, ...tokenErrors),
        detail: { summary: "Give a tunnel up" },
      },
    );
}

const tokenErrors = ["bad_token", "account_inactive", "scope_forbidden", "rate_limited"] as const;
const registerErrors = [
  ...tokenErrors,
  "not_whitelisted",
  "invalid_name",
  "name_reserved",
  "name_taken",
  "name_in_use",
  "pool_needs_name",
  "application_forbidden",
  "quota_exceeded",
  "version_unsupported",
  "protocol_unavailable",
  "port_unavailable",
  "port_not_open",
  "ports_exhausted",
] as const;
