// What operator commands can ask for: the contract between the command line and src/admin.ts.

/** An address range that may open tunnels. `source` is `env` for those of AGENT_WHITELIST, which are no rows. */
export interface AllowedRange {
  cidr: string;
  description: string;
  source: string;
}

export interface Administrator {
  name: string;
  active: boolean;
  hasPassword: boolean;
  totp: boolean;
}

export interface ListedAccount {
  name: string;
  active: boolean;
  role: "system admin" | "organization admin" | "account";
  /** Null: in none. */
  organization: string | null;
  email: string | null;
  /** ISO 8601; null: never. */
  lastUsedAt: string | null;
}

/** `unproven`: nothing is wrong with what is there, and nobody can tell whether that is all. */
export type AuditVerdict =
  { intact: true; rows: number } | { intact: false; unproven: boolean; seq: number; problem: string };

/** The commands behind `digit-link admin …` and its like. Refusals are thrown as AppError, their message is shown as it is. */
export interface Operator extends AsyncDisposable {
  /** The token is shown this once. `allow` puts a range on the system's list of agents. */
  createAdmin(name: string, allow: string | null): Promise<{ token: string }>;
  listAdmins(): Promise<Administrator[]>;
  resetTotp(name: string): Promise<void>;
  setPassword(name: string, password: string): Promise<void>;
  /** Null removes it. */
  setEmail(name: string, email: string | null): Promise<void>;
  createAccount(name: string): Promise<{ token: string }>;
  listAccounts(): Promise<ListedAccount[]>;
  /** A new token for an account that exists; the old one and its tunnels end. */
  changeToken(name: string): Promise<{ token: string }>;
  /** Answers with the normalised range, and a sentence when it is unusually wide. */
  allow(cidr: string, description: string): Promise<{ cidr: string; warning: string | null }>;
  allowed(): Promise<AllowedRange[]>;
  /** Refuses a range that is not on the list. */
  disallow(cidr: string): Promise<void>;
  /** The database's chain, or that of a whole export; `compare`: whether the export is all that the database had. */
  verifyAudit(file: string | null, compare?: boolean): Promise<AuditVerdict>;
  /** Copies the running server's database; the answer is what the operator must know about keys. */
  backup(file: string): Promise<{ notes: string[] }>;
  /** Puts a backup in the database's place; the server must be stopped. */
  restore(file: string): Promise<{ notes: string[] }>;
}
