// `digit-link/vite`: a public address for a Vite dev server, for as long as it runs. Vite's process may be Node's; the agent is one of Bun's.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { AddressInfo, Server } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Logger, Plugin, PreviewServer, UserConfig, ViteDevServer } from "vite";
import type { AgentEvent } from "../agent/types.ts";
import { nearest } from "../../src/lib/nearest.ts";
import { configPath, readConfig } from "../config-file.ts";
import { safe } from "../output/safe.ts";
import type { DigitLinkOptions } from "./options.ts";

/** For `plugins` in vite.config. Vite accepts every host below the server's domain by it; a build is not touched. */
export default function digitLink(options: DigitLinkOptions = {}): Plugin {
  const open = (vite: ViteDevServer | PreviewServer): void => {
    const { httpServer, config } = vite;
    if (httpServer === null) return config.logger.warn("digit-link: in middleware mode there is no port to serve.");
    const mistake = mistakeIn(options);
    if (mistake !== null) return config.logger.error(`digit-link: ${mistake} Vite goes on without it.`);
    const listener = httpServer as Server;
    const isTls = config.server.https !== undefined;
    listener.once("listening", () => {
      const stop = startAgent(listener.address() as AddressInfo, isTls, options, config.logger);
      listener.once("close", stop);
    });
  };
  return {
    name: "digit-link",
    apply: "serve",
    config: ({ server, preview }): UserConfig => {
      const host = hostOf(options);
      const allowedHosts = host === null ? [] : [`.${host}`];
      return {
        ...(server?.allowedHosts === true ? {} : { server: { allowedHosts } }),
        ...(preview?.allowedHosts === true ? {} : { preview: { allowedHosts } }),
      };
    },
    configureServer: open,
    configurePreviewServer: open,
  };
}

/** What is wrong with them where nobody checked their type, as one sentence. */
function mistakeIn(options: object): string | null {
  const known = ["subdomain", "server", "inspect"] satisfies (keyof DigitLinkOptions)[];
  const unknown = Object.keys(options).find((name) => !known.some((one) => one === name));
  if (unknown === undefined) return null;
  const guess = nearest(unknown, known);
  return `"${safe(unknown)}" is no option; ${guess === null ? "there are subdomain, server and inspect." : `did you mean "${guess}"?`}`;
}

/** Null: it is not known, and the agent will say so. */
function hostOf({ server }: DigitLinkOptions): string | null {
  const given = server ?? (process.env["DIGIT_LINK_SERVER"] || savedServer());
  if (given === undefined) return null;
  const url = given.includes("://") ? given : `https://${given}`;
  return URL.canParse(url) ? new URL(url).hostname : null;
}

function savedServer(): string | undefined {
  try {
    return readConfig(configPath(process.env)).server;
  } catch {
    // The agent says what is wrong with it.
    return undefined;
  }
}

/** Starts the agent for what listens at `address`; returns what stops it. */
function startAgent(address: AddressInfo, isTls: boolean, options: DigitLinkOptions, logger: Logger): () => void {
  const argv = ["http", targetOf(address, isTls), "--json"];
  // Of this machine: a certificate that a browser was told to accept.
  if (isTls) argv.push("--insecure-local");
  if (options.subdomain !== undefined) argv.push("--subdomain", options.subdomain);
  if (options.server !== undefined) argv.push("--server", options.server);
  if (options.inspect !== undefined) argv.push("--inspect", String(options.inspect));
  const bun = process.versions["bun"] === undefined ? "bun" : process.execPath;
  const agent = spawn(bun, [programPath(), ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  let isStopping = false;
  const stop = (): void => {
    isStopping = true;
    agent.kill("SIGTERM");
    process.off("exit", stop);
  };
  process.once("exit", stop);
  createInterface({ input: agent.stdout }).on("line", (line) => tell(JSON.parse(line) as AgentEvent, logger));
  createInterface({ input: agent.stderr }).on("line", (line) => {
    if (line.startsWith("digit-link: warning:")) logger.warn(safe(line));
    else logger.error(safe(line));
  });
  agent.once("error", (error: NodeJS.ErrnoException) => {
    const isMissing = error.code === "ENOENT";
    logger.error(`digit-link: ${isMissing ? "Bun is needed on PATH for it: npm install -g bun." : error.message}`);
  });
  agent.once("exit", (code) => {
    process.off("exit", stop);
    if (!isStopping && code !== 0) logger.error(`digit-link: ended with code ${code}; Vite goes on without it.`);
  });
  return stop;
}

/** As one dials what listens there. */
function targetOf({ address, port, family }: AddressInfo, isTls: boolean): string {
  const isAny = address === "0.0.0.0" || address === "::";
  const host = isAny ? "localhost" : family === "IPv6" ? `[${address}]` : address;
  return `${isTls ? "https" : "http"}://${host}:${port}`;
}

/** Beside the packed plugin, or in the source tree. */
function programPath(): string {
  const packed = fileURLToPath(new URL("./digit-link.js", import.meta.url));
  return existsSync(packed) ? packed : fileURLToPath(new URL("../main.ts", import.meta.url));
}

/** What a developer wants to know beside Vite's own lines; Vite's log has the requests. */
function tell(event: AgentEvent, logger: Logger): void {
  if (event.event === "tunnel.ready") logger.info(`  ➜  Public:  ${safe(event.url)}`);
  else if (event.event === "inspector.ready") logger.info(`  ➜  Inspect: ${safe(event.url)}`);
  else if (event.event === "tunnel.lost") logger.warn(`digit-link: connection lost: ${safe(event.reason)}`);
  else if (event.event === "tunnel.retry")
    logger.warnOnce(`digit-link: ${safe(event.reason.replace(/\.$/, ""))}; it tries again.`);
  else if (event.event === "notice") logger.warn(`digit-link: ${safe(event.message)}`);
}
