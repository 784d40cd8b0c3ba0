// The one table of exit codes: what --help prints, docs/cli.md repeats, and a refusal is mapped by.

interface ExitCodeRow {
  readonly exitCode: number;
  readonly meaning: string;
}

/** Every exit code of `digit-link`, in the order they are documented. */
export const exitCodes = {
  ok: { exitCode: 0, meaning: "done, or stopped by Ctrl-C or SIGTERM" },
  failure: { exitCode: 1, meaning: "something failed; the last line says what" },
  usage: { exitCode: 2, meaning: "wrong or missing flags, values, server or token" },
  credential: { exitCode: 3, meaning: "the server refused the credential, account or address" },
  name: { exitCode: 4, meaning: "the server refused the name or port" },
  server: { exitCode: 5, meaning: "the server cannot serve this agent (version, no TCP ports)" },
  timeout: { exitCode: 6, meaning: "not every tunnel was up within --wait seconds" },
  interrupted: { exitCode: 130, meaning: "Ctrl-C at a question, or a second one while streams finish" },
} as const satisfies Record<string, ExitCodeRow>;

const refusals: Readonly<Record<string, number>> = {
  redirected: exitCodes.usage.exitCode,
  strange: exitCodes.usage.exitCode,
  pool_needs_name: exitCodes.usage.exitCode,
  bad_token: exitCodes.credential.exitCode,
  unauthorized: exitCodes.credential.exitCode,
  account_inactive: exitCodes.credential.exitCode,
  not_whitelisted: exitCodes.credential.exitCode,
  scope_forbidden: exitCodes.credential.exitCode,
  application_forbidden: exitCodes.credential.exitCode,
  invalid_name: exitCodes.name.exitCode,
  name_reserved: exitCodes.name.exitCode,
  name_taken: exitCodes.name.exitCode,
  name_in_use: exitCodes.name.exitCode,
  port_unavailable: exitCodes.name.exitCode,
  version_unsupported: exitCodes.server.exitCode,
  protocol_unavailable: exitCodes.server.exitCode,
};

/** The exit code for a permanent refusal; codes this version does not know end with 1. */
export function exitCodeOfRefusal(code: string): number {
  return Object.hasOwn(refusals, code) ? (refusals[code] ?? 1) : exitCodes.failure.exitCode;
}
