// One logger: JSON lines for machines, short coloured lines for a terminal; user text can forge neither.

import { openTerminal } from "./terminal-stream.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Record<string, string | number | boolean | null | undefined>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const order: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const paint: Record<LogLevel, string> = { debug: "\x1b[2m", info: "\x1b[36m", warn: "\x1b[33m", error: "\x1b[31m" };

// C0, DEL, C1, and the two line separators.
// oxlint-disable-next-line no-control-regex -- control characters are what is being escaped
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Makes control characters visible (`\u001b`), so that text from outside stays on its line. */
export function escapeControls(text: string): string {
  return text.replace(controls, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Creates a logger that hands whole lines (without newline) to `write`; stderr by default.
 * `format: "json"` writes `{"time","level","message",…fields}`; `"text"` is for people.
 */
export function createLogger(options: {
  level: LogLevel;
  format: "json" | "text";
  color?: boolean;
  write?: (line: string) => void;
}): Logger {
  const lineOf = (level: LogLevel, message: string, fields: LogFields = {}): string => {
    const now = new Date();
    if (options.format === "json")
      return JSON.stringify({ time: now.toISOString(), level, message: escapeControls(message), ...escaped(fields) });
    const rest = Object.entries(escaped(fields))
      .filter(([, value]) => value !== undefined)
      .map(
        ([key, value]) => ` ${key}=${typeof value === "string" && /[ ="]/.test(value) ? JSON.stringify(value) : value}`,
      )
      .join("");
    const label = options.color ? `${paint[level]}${level.padEnd(5)}\x1b[0m` : level.padEnd(5);
    return `${now.toTimeString().slice(0, 8)} ${label} ${escapeControls(message)}${options.color && rest ? `\x1b[2m${rest}\x1b[0m` : rest}`;
  };
  const gapOf = (lines: number): string => lineOf("warn", "nobody took the log: lines were left out", { lines });
  const write = options.write ?? toStandardError(gapOf);
  const emit = (level: LogLevel, message: string, fields?: LogFields): void => {
    if (order[level] >= order[options.level]) write(lineOf(level, message, fields));
  };
  return {
    debug: (message, fields) => emit("debug", message, fields),
    info: (message, fields) => emit("info", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    error: (message, fields) => emit("error", message, fields),
  };
}

/** What a stopped terminal, or whoever reads a pipe, may owe. */
const mostWaitingBytes = 1024 * 1024;

function toStandardError(gapOf: (lines: number) => string): (line: string) => void {
  const stream = (process.stderr.isTTY ? openTerminal(2) : null) ?? process.stderr;
  let waitingBytes = 0;
  let leftOut = 0;
  // One that was closed ends the log, not the server.
  stream.on("error", () => undefined);
  stream.on("drain", () => (waitingBytes = 0));
  return (line) => {
    if (waitingBytes > mostWaitingBytes) return void leftOut++;
    const text = `${leftOut === 0 ? "" : `${gapOf(leftOut)}\n`}${line}\n`;
    leftOut = 0;
    if (!stream.write(text)) waitingBytes += text.length;
  };
}

function escaped(fields: LogFields): LogFields {
  const out: LogFields = {};
  for (const [key, value] of Object.entries(fields))
    out[key] = typeof value === "string" ? escapeControls(value) : value;
  return out;
}
