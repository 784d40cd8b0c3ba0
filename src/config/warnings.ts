// What works as it is set, and should not stay so: sentences for the log at the start.

import type { RawSettings, SettingKey } from "./settings.ts";

/** Whether `host` is a name below `domain`. */
export function isBelow(host: string, domain: string): boolean {
  return host.endsWith(`.${domain}`);
}

/** One sentence for each. `given`: the settings that are not left to their default. */
export function warningsOf(raw: RawSettings, given: ReadonlySet<SettingKey>): string[] {
  const warnings: string[] = [];
  const isLocal = raw.domain === "localhost" || isBelow(raw.domain, "localhost");
  if (!given.has("domain"))
    warnings.push(
      `DOMAIN is not set: public URLs end in ${raw.domain}. Set a domain that leads here. To try the server on this machine: DOMAIN=localhost SCHEME=http.`,
    );
  if (isLocal && !given.has("scheme") && !given.has("tlsCert")) {
    warnings.push(
      `Links to ${raw.domain} begin with https, and nothing here speaks TLS. Without a proxy that does: SCHEME=http.`,
    );
  }
  if (raw.dashboardDomain === null && !isLocal) {
    warnings.push(
      "DASHBOARD_DOMAIN is not set: the dashboard shares its domain with the tunnels' pages. Give it a domain of its own (docs/security.md).",
    );
  }
  if (raw.dashboardDomain !== null && isBelow(raw.dashboardDomain, raw.domain) && !isLocal) {
    warnings.push(
      "DASHBOARD_DOMAIN is below DOMAIN: for browsers the dashboard is one site with the tunnels' pages. Give it a domain of its own (docs/security.md).",
    );
  }
  if (raw.agentWhitelist.some((range) => range.endsWith("/0")))
    warnings.push("AGENT_WHITELIST allows agents from any address.");
  if (raw.bcryptCost < 12)
    warnings.push(`BCRYPT_COST is ${raw.bcryptCost}: passwords are cheap to guess from a stolen database.`);
  return warnings;
}
