// The two secrets of a server: given by the operator, or made once and kept beside the SQLite file.

import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ConfigError, type Config } from "./config.ts";

export interface Secrets {
  readonly jwtSecret: string;
  /** The first one seals; all of them open. */
  readonly encryptionKeys: readonly string[];
  /** Sentences that the operator should see. */
  readonly warnings: readonly string[];
}

/**
 * Returns both secrets; makes the files `jwt-secret` and `encryption-key` (mode 0600) beside the SQLite file for those
 * that are not set. Several processes that start together end up with the same files. Throws `ConfigError`.
 */
export function loadSecrets(config: Pick<Config, "jwtSecret" | "encryptionKeys" | "dbPath" | "databaseUrl">): Secrets {
  const warnings: string[] = [];
  const kept = (variable: string, fileName: string): string => {
    if (config.databaseUrl !== null) throw new ConfigError(variable, `${variable} must be set when DATABASE_URL is.`);
    const path = join(dirname(config.dbPath), fileName);
    warnings.push(`${variable} is not set: using the one in ${path}. Back it up apart from the database.`);
    return readOrCreate(variable, path);
  };
  return {
    jwtSecret: config.jwtSecret ?? kept("JWT_SECRET", "jwt-secret"),
    encryptionKeys: config.encryptionKeys ?? [kept("ENCRYPTION_KEY", "encryption-key")],
    warnings,
  };
}

function readOrCreate(variable: string, path: string): string {
  try {
    if (!existsSync(path)) create(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(variable, `${variable} is not set, and cannot be kept in ${path}: ${why}.`);
  }
  let secret: string;
  try {
    secret = readFileSync(path, "utf8").trim();
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(variable, `The file ${path} cannot be read and kept to its owner: ${why}.`);
  }
  if (secret.length < 32)
    throw new ConfigError(variable, `The file ${path} must hold at least 32 bytes; it holds ${secret.length}.`);
  return secret;
}

function create(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
  // Written aside and linked: whoever reads the name sees the whole secret, and the first of two processes wins.
  const aside = `${path}.${crypto.randomUUID()}`;
  try {
    writeFileSync(aside, `${secret}\n`, { mode: 0o600, flag: "wx" });
    linkSync(aside, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}
