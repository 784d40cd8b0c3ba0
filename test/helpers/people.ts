// Accounts for tests of the API: created in the database, logged in over the API as a browser would.

import { generateSync } from "otplib";
import { createToken, hashToken } from "../../src/auth/tokens.ts";
import { sealedRow } from "../../src/api/sealed-values.ts";
import { insertAccount, updateAccount } from "../../src/db/accounts.ts";
import { insertOrganization } from "../../src/db/organizations.ts";
import { newId } from "../../src/lib/ids.ts";
import { canonicalUsername } from "../../src/lib/usernames.ts";
import type { TestApi } from "./api.ts";

export const goodPassword = "quiet-river-stone";
/** Base32 of 20 bytes. */
const testSeed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

export interface Person {
  id: string;
  username: string;
  token: string;
  /** Value of the session cookie, when logged in. */
  session: string;
}

export interface PersonOptions {
  username: string;
  password?: string | null;
  isAdmin?: boolean;
  isOrgAdmin?: boolean;
  orgId?: string | null;
  totp?: boolean;
  /** False: only create the account. */
  login?: boolean;
}

/** The code of `testSeed` at the test's clock; `steps` moves it by 30 s each. */
export function codeNow(api: TestApi, seed: string = testSeed, steps = 0): string {
  return generateSync({ secret: seed, epoch: Math.floor(api.clock.nowMs / 1000) + steps * 30 });
}

export async function createOrganization(api: TestApi, name: string, requireTotp = false): Promise<string> {
  const id = newId("org");
  await insertOrganization(api.deps.db.kysely, {
    id,
    name,
    name_key: name.toLowerCase(),
    require_totp: requireTotp ? 1 : 0,
    created_at: api.clock.nowMs,
  });
  return id;
}

export async function createPerson(api: TestApi, options: PersonOptions): Promise<Person> {
  const id = newId("acc");
  const token = createToken("dlt");
  const password = options.password === undefined ? goodPassword : options.password;
  const passwordHash = password === null ? null : await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
  const { db, sealer } = api.deps;
  await db.transaction(async (trx) => {
    await insertAccount(trx, {
      id,
      username: options.username,
      usernameKey: canonicalUsername(options.username),
      passwordHash,
      tokenHash: hashToken(token),
      isAdmin: options.isAdmin ?? false,
      isOrgAdmin: options.isOrgAdmin ?? false,
      orgId: options.orgId ?? null,
      createdAtMs: api.clock.nowMs,
    });
    if (options.totp === true) {
      await updateAccount(trx, id, { totp_secret: sealer.seal("totp-seed", sealedRow.account(id), testSeed) });
    }
  });
  const person = { id, username: options.username, token, session: "" };
  return options.login === false ? person : { ...person, session: await login(api, options.username, password ?? "") };
}

/** Logs in, with a code of `testSeed` when one is asked for; returns the session cookie. */
export async function login(api: TestApi, username: string, password: string = goodPassword): Promise<string> {
  const first = await api.call("POST", "/auth/login", { body: { username, password } });
  if (first.body["needsTotp"] !== true) return first.cookies["__Host-dl_session"] ?? "";
  // Every code works once, so each login of a test has a step of its own.
  api.clock.nowMs += 30_000;
  const body = { pendingToken: first.body["pendingToken"], code: codeNow(api) };
  const second = await api.call("POST", "/auth/totp/verify", { body });
  return second.cookies["__Host-dl_session"] ?? "";
}
