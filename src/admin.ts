// What operator commands (`digit-link admin …`, `whitelist …`, `backup` and their like) call: one short-lived view of the server's database.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { checkEmail } from "./api/accounts/email.ts";
import { checkPassword, createPasswords } from "./auth/passwords.ts";
import { loadConfig } from "./config/load.ts";
import { createDatabase } from "./db/database.ts";
import { createLogger } from "./lib/log.ts";
import { createAudit } from "./observe/audit.ts";
import {
  changeToken,
  createAccount,
  listAdministrators,
  listPeople,
  parseAccount,
  resetTotp,
  setEmail,
  setPassword,
  type OperatorDeps,
} from "./operator/accounts.ts";
import { verifyDatabase, verifyFile } from "./operator/audit-verdict.ts";
import { backUp, requireDatabase } from "./operator/backup.ts";
import type { Operator } from "./operator/operator.ts";
import { allowedRanges, allowRange, disallowRange, parseEntry, parseRange } from "./operator/ranges.ts";
import { restore } from "./operator/restore.ts";

/**
 * Opens the operator's access by the settings of `env` and `file` (`ConfigSources.file`); throws ConfigError. The database is opened
 * by the first command that needs it, after what is given was judged, and made only by those that come before a first start. A running server hears of
 * every change through the feed. The caller disposes of it.
 */
export async function openOperator(
  env: Readonly<Record<string, string | undefined>>,
  file?: string,
): Promise<Operator> {
  const config = loadConfig({ env, file });
  const log = createLogger({ level: "warn", format: "text" });
  const nowMs = () => Date.now();
  const closing: (() => Promise<void>)[] = [];
  let opened: Promise<OperatorDeps> | null = null;

  async function open(): Promise<OperatorDeps> {
    const onError = (error: unknown) => log.error("the database could not be read", { error: String(error) });
    const db = await createDatabase({ url: config.databaseUrl, path: config.dbPath, maxConnections: 2, onError });
    const audit = createAudit({ db, log, flushMs: config.auditFlushMs });
    closing.push(
      () => audit.close(),
      () => db.close(),
    );
    return { db, audit, nowMs };
  }

  /** For what makes sense before the server's first start. */
  const openOrCreate = async (): Promise<OperatorDeps> => {
    const isNew = config.databaseUrl === null && !existsSync(config.dbPath);
    const deps = await (opened ??= open());
    if (isNew)
      log.warn(
        `there was no database ${resolve(config.dbPath)}: a new one is made. A server that has one is reached with its settings (DB_PATH) and from its folder.`,
      );
    return deps;
  };
  const openExisting = async (): Promise<OperatorDeps> => {
    if (config.databaseUrl === null) requireDatabase(config.dbPath);
    return await openOrCreate();
  };

  return {
    async createAdmin(name, allow) {
      const account = parseAccount(name, { isAdmin: true, allow });
      return await createAccount(await openOrCreate(), account);
    },
    listAdmins: async () => listAdministrators(await openExisting()),
    resetTotp: async (name) => resetTotp(await openExisting(), name),
    async setPassword(name, password) {
      checkPassword(password, name);
      const passwords = createPasswords({ cost: config.bcryptCost });
      await setPassword({ ...(await openExisting()), passwords }, name, password);
    },
    async setEmail(name, input) {
      const email = input === null ? null : checkEmail(input);
      await setEmail(await openExisting(), name, email);
    },
    async createAccount(name) {
      const account = parseAccount(name, { isAdmin: false, allow: null });
      return await createAccount(await openOrCreate(), account);
    },
    listAccounts: async () => listPeople(await openExisting()),
    changeToken: async (name) => changeToken(await openExisting(), name),
    async allow(text, description) {
      const entry = parseEntry(text, description);
      return await allowRange(await openOrCreate(), entry);
    },
    allowed: async () => allowedRanges(await openExisting(), config),
    async disallow(text) {
      const cidr = parseRange(text);
      await disallowRange(await openExisting(), config, cidr);
    },
    async verifyAudit(file, compare = false) {
      if (file === null) return await verifyDatabase((await openExisting()).db);
      return await verifyFile(file, compare ? (await openExisting()).db : null);
    },
    backup: async (file) => backUp(config, file),
    restore: (file) => restore({ config, log, nowMs }, file),
    async [Symbol.asyncDispose]() {
      for (const close of closing) await close();
    },
  };
}
