// Which lines the server's log has about tunnels.

import { expect, test } from "bun:test";
import { createLogger } from "../lib/log.ts";
import type { AuditEntry } from "./audit.ts";
import { logTunnel } from "./tunnel-log.ts";

function linesOf(...entries: AuditEntry[]): string[] {
  const lines: string[] = [];
  const log = createLogger({ level: "info", format: "text", write: (line) => lines.push(line.slice(9)) });
  for (const entry of entries) logTunnel(log, entry);
  return lines;
}

test("who opened a tunnel, who was refused and why, and how a tunnel ended", () => {
  const who = { identity: "myapp", actorName: "bob", address: "192.0.2.7" };
  expect(
    linesOf(
      { action: "tunnel.opened", ...who, details: { tunnelId: "tun_1" } },
      { action: "tunnel.refused", success: false, reason: "name_taken", ...who },
      { action: "tunnel.refused", success: false, reason: "bad_token", address: "192.0.2.9", details: { times: 7 } },
      { action: "tunnel.check_refused", success: false, reason: "bad_token", address: "192.0.2.9" },
      { action: "tunnel.disconnected", reason: "account_inactive", ...who },
      { action: "tunnel.closed", ...who, details: { reason: "released", requests: 12 } },
    ),
  ).toEqual([
    "info  a tunnel is open name=myapp by=bob from=192.0.2.7",
    "info  an agent was refused name=myapp by=bob from=192.0.2.7 reason=name_taken",
    "info  an agent was refused from=192.0.2.9 reason=bad_token times=7",
    "info  an agent was refused from=192.0.2.9 reason=bad_token",
    "info  an agent was disconnected name=myapp by=bob from=192.0.2.7 reason=account_inactive",
    "info  a tunnel is closed name=myapp by=bob from=192.0.2.7 reason=released requests=12",
  ]);
});

test("security: whoever asks for a name makes no line long, and none of their own", () => {
  const [line, ...others] = linesOf({ action: "tunnel.refused", success: false, identity: `a\n${"x".repeat(9_000)}` });
  expect(line).toBe(`info  an agent was refused name=a\\u000a${"x".repeat(62)}`);
  expect(others).toEqual([]);
});

test("nothing of visitors, logins and changes: those have logs of their own", () => {
  expect(
    linesOf(
      { action: "visitor.refused", success: false, reason: "policy_denied", address: "192.0.2.9" },
      { action: "login.failed", success: false, reason: "bad_credentials" },
      { action: "tunnel.disconnect_ordered", identity: "myapp", actorName: "ada" },
    ),
  ).toEqual([]);
});
