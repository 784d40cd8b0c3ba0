// Whether the server lives, is ready, and how busy it is.

import { sql } from "kysely";
import { t } from "elysia";
import { countActiveAccounts } from "../../db/accounts.ts";
import { AppError } from "../../lib/errors.ts";
import type { ApiDeps } from "../deps.ts";
import type { Guards } from "../guards.ts";
import { isPrivateAddress } from "../addresses.ts";
import { factsOf } from "../request.ts";
import { newRoutes } from "../routes.ts";
import { answers, closed } from "../schemas.ts";

const statusSchema = closed({ status: t.Literal("ok") });
const healthSchema = closed({
  status: t.Literal("ok"),
  activeTunnels: t.Optional(t.Integer()),
  activeAccounts: t.Optional(t.Integer()),
  whitelistEntries: t.Optional(t.Integer()),
});

/** GET /health, /ready, /live. The counts of /health are for loopback, private addresses and admins. */
export function createHealthRoutes(deps: ApiDeps, guards: Guards) {
  const mayCount = async (request: Request): Promise<boolean> => {
    if (isPrivateAddress(factsOf(request).address)) return true;
    const credentials = ["authorization", "cookie", "x-admin-token"].some((name) => request.headers.has(name));
    if (!credentials) return false;
    return guards.callers.admin(request).then(
      () => true,
      (error: unknown) => {
        if (error instanceof AppError) return false;
        throw error;
      },
    );
  };

  return newRoutes("", "health")
    .get(
      "/health",
      async ({ request }) => {
        if (!(await mayCount(request))) return { status: "ok" as const };
        return {
          status: "ok" as const,
          activeTunnels: deps.tunnels.count(),
          activeAccounts: await countActiveAccounts(deps.db.kysely),
          whitelistEntries: await countWhitelistEntries(deps),
        };
      },
      {
        response: answers({ 200: healthSchema }),
        detail: { summary: "Health, with counts for those who may see them" },
      },
    )
    .get(
      "/ready",
      async () => {
        if (!deps.isServing() || !(await deps.db.isReady())) throw new AppError("unavailable");
        return { status: "ok" as const };
      },
      {
        response: answers({ 200: statusSchema }, "unavailable"),
        detail: {
          summary: "Whether the database answers, changes by others are heard of, and a shard is there for tunnels",
        },
      },
    )
    .get("/live", () => ({ status: "ok" as const }), {
      response: answers({ 200: statusSchema }),
      detail: { summary: "Whether the process answers" },
    });
}

async function countWhitelistEntries(deps: ApiDeps): Promise<number> {
  const row = await deps.db.kysely
    .selectFrom("whitelist_entries")
    .select(sql<number | string>`count(*)`.as("count"))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
