// The search of requests: `status:5xx -path:/health method:post ms:>200 NOT alice`, every term must hold.

import { AppError } from "../../lib/errors.ts";
import type { RequestTerm } from "../../link/requests-query.ts";

const numbers = { status: "status", ms: "duration", duration: "duration", size: "out", out: "out", in: "in" } as const;
const texts = {
  method: "method",
  path: "path",
  tunnel: "tunnel",
  name: "tunnel",
  address: "address",
  ip: "address",
  user: "user",
  principal: "user",
  id: "id",
  error: "error",
} as const;
const states = ["running", "cut"] as const;
const units: Record<string, number> = { k: 1024, m: 1024 * 1024 };

/** What a request's status may be asked for, as a term and as a parameter. */
export const statusPattern = `[1-5]xx|[1-5][0-9]{2}|${states.join("|")}`;

/** For the OpenAPI texts. */
export const searchNote =
  "Terms that must all hold: a text that stands in method, path, status, tunnel, address or user, or `FIELD:VALUE` with one of " +
  "`method`, `path`, `tunnel`, `address`, `user`, `id`, `error`, or a number: `status:5xx`, `ms:>200`, `size:>=10k`, `in:0..99`; " +
  "`status:running` and `status:cut` (ended early). Double quotes keep spaces. `!`, `-` or `NOT` in front of a term leaves out.";

/** The terms of a search; a mark with nothing behind it means nothing. Throws `validation`, naming `q`, for a term that is none. */
export function parseSearch(search = ""): RequestTerm[] {
  const terms: RequestTerm[] = [];
  let negated = false;
  for (const word of words(search)) {
    if (word === "NOT") {
      negated = !negated;
      continue;
    }
    if (word === "AND") continue;
    const isMarked = /^[-!](?=.)/.test(word);
    terms.push(parseTerm(isMarked ? word.slice(1) : word, negated !== isMarked));
    negated = false;
  }
  return terms;
}

/** The term of a parameter, which may have `!` in front; none when it is not given. */
export function termOf(field: "status" | "method", asked: string | undefined): RequestTerm[] {
  if (asked === undefined) return [];
  const not = asked.startsWith("!");
  return [parseTerm(`${field}:${not ? asked.slice(1) : asked}`, not)];
}

function parseTerm(term: string, not: boolean): RequestTerm {
  const colon = term.indexOf(":");
  const field = colon > 0 ? term.slice(0, colon).toLowerCase() : "";
  const value = term.slice(colon + 1).toLowerCase();
  if (field === "status") {
    const state = states.find((one) => one === value);
    if (state !== undefined) return { field: "state", is: state, not };
  }
  if (isOf(numbers, field)) {
    const range = parseRange(value);
    if (range === null) throw refused(`${field}: "${value}" is not a number, 5xx, >=100 or 200..299.`);
    return { field: numbers[field], ...range, not };
  }
  if (isOf(texts, field)) return { field: texts[field], text: value, not };
  if (/^[a-z]+$/.test(field) && !value.startsWith("/")) {
    const fields = ["status", "method", "path", "address", "user", "tunnel", "ms", "size", "in", "id", "error"];
    throw refused(`"${field}" is not a field. Fields: ${fields.join(", ")}.`);
  }
  return { field: "any", text: term.toLowerCase(), not };
}

function parseRange(value: string): { min: number; max: number } | null {
  const family = /^([1-5])xx$/.exec(value);
  if (family !== null) return { min: Number(family[1]) * 100, max: Number(family[1]) * 100 + 99 };
  const [, from, to] = /^(\d+)\.\.(\d+)$/.exec(value) ?? [];
  if (from !== undefined) return { min: Number(from), max: Number(to) };
  const [, sign = "", digits, unit = ""] = /^(>=|<=|>|<)?(\d+(?:\.\d+)?)([km]?)$/.exec(value) ?? [];
  if (digits === undefined) return null;
  const bound = Number(digits) * (units[unit] ?? 1);
  // Every number here has two decimals at most.
  const beside = sign.endsWith("=") ? 0 : 0.001;
  if (sign.startsWith(">")) return { min: bound + beside, max: Number.MAX_VALUE };
  return { min: sign === "" ? bound : 0, max: sign === "" ? bound : bound - beside };
}

/** Splits at spaces outside double quotes. */
function words(text: string): string[] {
  return Array.from(text.matchAll(/(?:[^\s"]|"[^"]*"?)+/g), (match) => match[0].replaceAll('"', "")).filter(Boolean);
}

function isOf<T extends object>(table: T, field: string): field is keyof T & string {
  return Object.hasOwn(table, field);
}

function refused(message: string): AppError {
  return new AppError("validation", message, { field: "q" });
}
