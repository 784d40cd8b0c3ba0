// `digit-link login`: saves server and token for later, readable by the owner only, unless the server refuses the token.

import type { Command, Io } from "../command.ts";
import { checkToken } from "../agent/check-token.ts";
import { configPath, errnoText, prepareConfigDirectory, readConfig, writeConfig } from "../config-file.ts";
import { exitCodeOfRefusal, exitCodes } from "../exit-codes.ts";
import { safe } from "../output/safe.ts";
import { ask } from "../prompt.ts";
import { checkProxy, connectionFlags, tokenFromFlags, tokenFromInput } from "../settings.ts";
import { UsageError } from "../usage-error.ts";
import { isCleartext, parseServer } from "../values.ts";

export const login: Command = {
  name: "login",
  summary: "save your server and token",
  usage: "[URL]",
  flags: connectionFlags,
  examples: [
    ["digit-link login https://tunnel.example.com", "asks for the token, without showing it"],
    ["digit-link login --server URL < token.txt", "reads the token from standard input"],
  ],
  notes: [
    "The server is asked about the token first; one that it refuses is not saved, nor is an address where something else answers.",
    "The file is $XDG_CONFIG_HOME/digit-link/config.json (~/.config/digit-link/config.json), mode 0600.",
    "The saved token is only ever sent to the server it was saved for.",
  ],
  async run(parsed, io) {
    const path = configPath(io.env);
    if (parsed.positionals.length > 1)
      throw new UsageError("login takes one server; give the token by --token-file, standard input, or when asked.");
    if (parsed.positionals.length === 1 && parsed.text("server") !== undefined)
      throw new UsageError("The server is given twice, as argument and by --server; give it once.");
    const warnings: string[] = [];
    const typed = parsed.positionals[0] ?? parsed.text("server");
    const named = io.env.DIGIT_LINK_SERVER;
    const server =
      typed === undefined && named
        ? parseServer(named, "DIGIT_LINK_SERVER")
        : parseServer(typed ?? (await askServer(path)));
    checkProxy(server, io.env);
    if (isCleartext(server))
      warnings.push(`${server} is plain http to another machine: the token can be read on the way.`);
    try {
      prepareConfigDirectory(path);
    } catch (error) {
      return cannotSave(io, path, error);
    }
    const token =
      (await tokenFromFlags(parsed, warnings)) ?? (await tokenFromInput(`Token for ${safe(server)} (not shown): `));
    const warn = (warning: string) => io.problem(`digit-link: ${io.problemStyle.yellow("warning:")} ${warning}`);
    warnings.forEach(warn);
    const verdict = await checkToken(server, token);
    if ("refused" in verdict) {
      io.problem(`digit-link: Nothing was saved: ${safe(verdict.refused.message)}`);
      return exitCodeOfRefusal(verdict.refused.code);
    }
    try {
      writeConfig(path, { server, token });
    } catch (error) {
      return cannotSave(io, path, error);
    }
    const isKnown = "known" in verdict;
    if (!isKnown)
      warn(`${server} cannot be asked about the token now (${safe(verdict.unknown)}). It is saved unchecked.`);
    const whose = isKnown && verdict.known !== "" ? ` of ${io.style.bold(safe(verdict.known))}` : "";
    io.out(
      `${io.style.green("Saved")} the token${whose} for ${io.style.bold(safe(server))} in ${safe(path)} (readable by you only).`,
    );
    if (isKnown) io.out(`Try: ${io.style.bold("digit-link http 3000")}`);
    return exitCodes.ok.exitCode;
  },
};

async function askServer(path: string): Promise<string> {
  const saved = readConfig(path).server;
  if (!process.stdin.isTTY) {
    if (saved) return saved;
    throw new UsageError("Say which server: digit-link login https://tunnel.example.com.");
  }
  const answer = await ask(saved ? `Server [${safe(saved)}]: ` : "Server (https://…): ");
  const server = answer.trim() || saved;
  if (!server) throw new UsageError("Say which server: digit-link login https://tunnel.example.com.");
  return server;
}

function cannotSave(io: Io, path: string, error: unknown): number {
  io.problem(`digit-link: Nothing was saved: ${safe(path)} cannot be written: ${errnoText(error)}.`);
  return exitCodes.failure.exitCode;
}
