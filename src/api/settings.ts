// The part of the configuration that the API reads.

import { type Config, publicUrl } from "../config/config.ts";
import { slotLifeMs } from "../auth/failure-window.ts";
import type { ApiSettings } from "./deps.ts";
import { redirectUri } from "./visitor/deps.ts";

const dayMs = 24 * 3_600_000;

/** For server.ts. The second factor is blocked for as long as wrong codes count; docs/security.md says how far guessing gets by it. */
export function apiSettingsOf(config: Config): ApiSettings {
  return {
    domain: config.domain,
    dashboardDomain: config.dashboardDomain,
    scheme: config.scheme,
    serverUrl: publicUrl(config, null),
    visitorRedirectUri: redirectUri(config),
    sessionTtlMs: config.sessionTtlMs,
    pendingLoginTtlMs: config.pendingLoginTtlMs,
    adminApiTokens: config.adminApiTokens,
    room: {
      applications: config.maxApplicationsPerOrganization,
      api_keys: config.maxApiKeysPerOrganization,
      accounts: config.maxMembersPerOrganization,
    },
    loginLimit: {
      maxAttempts: config.limiterMaxFailures,
      windowMs: config.limiterWindowMs,
      blockMs: config.limiterBlockMs,
    },
    totpLimit: {
      maxAttempts: config.totpMaxFailures,
      windowMs: config.limiterWindowMs,
      blockMs: config.limiterWindowMs,
    },
    totpDayLimit: { maxAttempts: 4 * config.totpMaxFailures, windowMs: dayMs, blockMs: dayMs },
  };
}

/** How long failures are stored: as long as the longest window counts them. That of an application's own limiter is an hour at most. */
export function failuresKeptMs({ loginLimit, totpDayLimit }: Pick<ApiSettings, "loginLimit" | "totpDayLimit">): number {
  return slotLifeMs(Math.max(loginLimit.windowMs, totpDayLimit.windowMs));
}
