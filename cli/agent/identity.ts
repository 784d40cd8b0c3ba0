// Who this agent is: an id that survives restarts, so that a restarted agent takes its name back at once.

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import type { TunnelSpec } from "./types.ts";

const ownHosts: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1", "[::1]"]);

/** The id under which an agent `own` serves a local service: another one's is another agent. */
export function agentIdOf(own: string, spec: Pick<TunnelSpec, "protocol" | "localHost" | "localPort">): string {
  const host = spec.localHost.toLowerCase();
  // A digest, because a host may be longer than an id, and has characters that an id has not.
  const where = ownHosts.has(host) ? "" : `_${createHash("sha256").update(host).digest("hex").slice(0, 16)}`;
  return `agt_${own}_${spec.protocol}_${spec.localPort}${where}`;
}

const shape = /^[a-f0-9]{32}$/;

/** The id of this machine's user, kept in the configuration folder (0600). When that can't be written, one for this process. */
export function machineId(env: Record<string, string | undefined> = process.env): string {
  const { XDG_CONFIG_HOME: folderOfAll = "", HOME: home } = env;
  // As for the saved token: a relative one doesn't count.
  const folder = isAbsolute(folderOfAll) ? folderOfAll : join(home || homedir(), ".config");
  const path = join(folder, "digit-link", "agent-id");
  const known = read(path);
  if (known !== null) return known;
  const fresh = randomBytes(16).toString("hex");
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, `${fresh}\n`, { mode: 0o600, flag: "wx" });
    return fresh;
  } catch {
    // Somebody else was first, or the folder is read-only.
    return read(path) ?? fresh;
  }
}

function read(path: string): string | null {
  try {
    const text = readFileSync(path, "utf8").trim();
    return shape.test(text) ? text : null;
  } catch {
    // Not there yet.
    return null;
  }
}
