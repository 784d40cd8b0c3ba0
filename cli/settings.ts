// Which server and token count: flags, then environment, then what `digit-link login` saved.

import { readFileSync } from "node:fs";
import { proxyFor, proxyUrl } from "./agent/proxy-env.ts";
import type { FlagTable, Io, Parsed } from "./command.ts";
import { configPath, errnoText, isExposed, readConfig } from "./config-file.ts";
import { safe } from "./output/safe.ts";
import { askSecret, readAll } from "./prompt.ts";
import { UsageError } from "./usage-error.ts";
import { isCleartext, parseServer, parseToken } from "./values.ts";

export const connectionFlags = {
  server: { type: "string", short: "s", value: "URL", help: "your digit-link server (or DIGIT_LINK_SERVER)" },
  token: { type: "string", short: "t", value: "TOKEN", help: "your token; shows in ps, prefer --token-file" },
  "token-file": { type: "string", value: "FILE", help: "read the token from a file; - is standard input" },
} as const satisfies FlagTable;

export interface Connection {
  server: string;
  token: string;
  /** Sentences that the user should see once. */
  warnings: string[];
}

/** Resolves server and token. Throws UsageError with one sentence that says how to give what is missing. */
export async function resolveConnection(parsed: Parsed, io: Pick<Io, "env">): Promise<Connection> {
  const path = configPath(io.env);
  const warnings: string[] = [];
  const typed = parsed.text("server");
  const given = typed ?? io.env.DIGIT_LINK_SERVER;
  const explicit =
    (await tokenFromFlags(parsed, warnings)) ??
    (io.env.DIGIT_LINK_TOKEN ? parseToken(io.env.DIGIT_LINK_TOKEN, "DIGIT_LINK_TOKEN") : null);
  // A damaged file is no trouble for who doesn't need it.
  const saved = given && explicit !== null ? {} : readConfig(path);
  const serverText = given || saved.server;
  if (!serverText) {
    throw new UsageError(
      'No server is known; give --server URL, set DIGIT_LINK_SERVER, or save it with "digit-link login".',
    );
  }
  const server = parseServer(serverText, typed === undefined ? (given ? "DIGIT_LINK_SERVER" : path) : undefined);
  checkProxy(server, io.env);
  const token = explicit ?? savedToken(saved, server, path, warnings);
  if (token === null) {
    const hint = saved.token && saved.server ? ` (the saved one is for ${safe(saved.server)})` : "";
    throw new UsageError(
      `No token for ${server} is known${hint}; give --token-file FILE, set DIGIT_LINK_TOKEN, or save it with "digit-link login".`,
    );
  }
  if (isCleartext(server))
    warnings.push(`${server} is plain http to another machine: the token and all traffic can be read on the way.`);
  return { server, token, warnings };
}

/** Throws UsageError when the environment names a proxy for `server` (an origin) that an agent could never use. */
export function checkProxy(server: string, env: Io["env"]): void {
  const proxy = proxyFor(new URL(server), env);
  if (proxy === false || proxyUrl(proxy) !== null) return;
  // Without repeating it: there may be a password in it.
  throw new UsageError(
    `The proxy that the environment names for ${server} (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) cannot be used; write it like http://proxy.example:3128.`,
  );
}

/** The token of --token or --token-file, or null when neither is given. */
export async function tokenFromFlags(parsed: Parsed, warnings: string[]): Promise<string | null> {
  const inline = parsed.text("token");
  const file = parsed.text("token-file");
  if (inline !== undefined && file !== undefined)
    throw new UsageError("--token and --token-file are both given; give one.");
  if (inline !== undefined) {
    warnings.push(
      'A token on the command line shows in ps and in the shell\'s history; --token-file, DIGIT_LINK_TOKEN or "digit-link login" keep it out.',
    );
    return parseToken(inline, "--token");
  }
  if (file === undefined) return null;
  try {
    if (file === "-") return await tokenFromInput("Token (not shown): ");
    return parseToken(readFileSync(file, "utf8"), `the file ${safe(file)}`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`The token file ${safe(file)} cannot be read: ${errnoText(error)}.`);
  }
}

/** The token from standard input, which is asked for by `question` where that is a terminal. */
export async function tokenFromInput(question: string): Promise<string> {
  if (process.stdin.isTTY) return parseToken(await askSecret(question), "the input");
  return parseToken(await readAll(), "standard input");
}

/** The saved token goes only to the server it was saved for. */
function savedToken(
  saved: { server?: string; token?: string },
  server: string,
  path: string,
  warnings: string[],
): string | null {
  if (!saved.token || !saved.server || parseServer(saved.server, path) !== server) return null;
  if (isExposed(path)) warnings.push(`Others on this machine can read ${safe(path)}; run: chmod 600 ${safe(path)}`);
  return parseToken(saved.token, path);
}
