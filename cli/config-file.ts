// The saved server and token: read, and written so that only their owner can read them.

import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { safe } from "./output/safe.ts";
import { UsageError } from "./usage-error.ts";

type Env = Readonly<Record<string, string | undefined>>;

export interface SavedConfig {
  server?: string;
  token?: string;
}

/** `$XDG_CONFIG_HOME/digit-link/config.json`, else `~/.config/digit-link/config.json` (a relative XDG path does not count). */
export function configPath(env: Env): string {
  const base =
    env.XDG_CONFIG_HOME && isAbsolute(env.XDG_CONFIG_HOME)
      ? env.XDG_CONFIG_HOME
      : join(env.HOME || homedir(), ".config");
  return join(base, "digit-link", "config.json");
}

/** What is saved; empty when there is no file. Throws UsageError when the file is unreadable or malformed. */
export function readConfig(path: string): SavedConfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return {};
    throw new UsageError(`The saved settings in ${safe(path)} cannot be read: ${errnoText(error)}.`);
  }
  const parsed = parseJson(text.replace(/^\ufeff/, ""));
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(
      `The saved settings in ${safe(path)} are not valid JSON; delete the file and run "digit-link login" again.`,
    );
  }
  const saved: SavedConfig = {};
  if ("server" in parsed && typeof parsed.server === "string") saved.server = parsed.server;
  if ("token" in parsed && typeof parsed.token === "string") saved.token = parsed.token;
  return saved;
}

/** Whether others than the owner may read the file (never on Windows). */
export function isExposed(path: string): boolean {
  return process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0;
}

/** Makes the directory (0700) and proves that a file can be written where the saved one is, before anybody types a token. Throws the system's error. */
export function prepareConfigDirectory(path: string): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const probe = `${targetOf(path)}.${process.pid}.probe`;
  closeSync(openSync(probe, "wx", 0o600));
  unlinkSync(probe);
}

/** Replaces the file (0600), or what it is a link to, in one step, and reads it back. Throws the system's error. */
export function writeConfig(path: string, config: Required<SavedConfig>): void {
  prepareConfigDirectory(path);
  const target = targetOf(path);
  const temporary = `${target}.${process.pid}.tmp`;
  const fd = openSync(temporary, "wx", 0o600);
  try {
    try {
      writeSync(fd, `${JSON.stringify(config, null, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, target);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
  const saved = readConfig(path);
  if (saved.server !== config.server || saved.token !== config.token)
    throw new Error("what was written does not read back");
}

/** The file that `path` is, or leads to if it is a link, be it there or not. Throws where that can't be replaced by a file. */
function targetOf(path: string): string {
  try {
    const target = realpathSync(path);
    const entry = statSync(target);
    if (!entry.isFile() && !entry.isDirectory()) throw new Error("it is no ordinary file");
    return target;
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    return isLink ? targetOf(resolve(realpathSync(dirname(path)), readlinkSync(path))) : path;
  }
}

/** A system error as a few words: `permission denied`. */
export function errnoText(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const known: Record<string, string> = {
    EACCES: "permission denied",
    EPERM: "permission denied",
    EROFS: "the file system is read-only",
    ENOSPC: "the disk is full",
    ENOENT: "there is no such file",
    EISDIR: "it is a directory",
    ENOTDIR: "part of the path is not a directory",
    EEXIST: "a file is in the way",
    ELOOP: "it is a link to itself",
  };
  return known[code] ?? safe(error instanceof Error ? error.message : String(error));
}

function isErrno(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
