// The filter of the requests page: `status:5xx -path:/health method:post slow:>200 NOT alice`, every term must hold.

import type { CapturedRequest } from "./types.ts";

type Test = (request: CapturedRequest) => boolean;

/** A filter, or the sentence that says what is wrong with it. */
export type ParsedFilter = { test: Test; terms: number } | { error: string };

const durationMs = (r: CapturedRequest) => r.totalMs;
const numbers: Record<string, (r: CapturedRequest) => number> = {
  status: (r) => r.status,
  duration: durationMs,
  ms: durationMs,
  size: (r) => r.bytesOut,
  in: (r) => r.bytesIn,
  out: (r) => r.bytesOut,
};
const texts: Record<string, (r: CapturedRequest) => string> = {
  method: (r) => r.method,
  path: (r) => r.path,
  tunnel: (r) => r.name,
  name: (r) => r.name,
  address: (r) => r.address,
  ip: (r) => r.address,
  user: (r) => r.principal ?? "",
  principal: (r) => r.principal ?? "",
  id: (r) => r.id,
  error: (r) => r.error ?? "",
};

/** Names that may stand before a colon, for the hint under the field. */
export const filterFields: readonly string[] = ["status", "method", "path", "address", "user", "tunnel", "ms", "size"];

function numberTest(read: (r: CapturedRequest) => number, value: string): Test | null {
  const family = /^([1-5])xx$/i.exec(value);
  if (family) return (r) => Math.floor(read(r) / 100) === Number(family[1]);
  const range = /^(\d+)\.\.(\d+)$/.exec(value);
  if (range) return (r) => read(r) >= Number(range[1]) && read(r) <= Number(range[2]);
  const compare = /^(>=|<=|>|<)?(\d+(?:\.\d+)?)(k|m)?$/i.exec(value);
  if (!compare) return null;
  const unit = compare[3]?.toLowerCase() === "k" ? 1024 : compare[3] ? 1024 * 1024 : 1;
  const bound = Number(compare[2]) * unit;
  switch (compare[1]) {
    case ">":
      return (r) => read(r) > bound;
    case ">=":
      return (r) => read(r) >= bound;
    case "<":
      return (r) => read(r) < bound;
    case "<=":
      return (r) => read(r) <= bound;
    default:
      return (r) => read(r) === bound;
  }
}

function parseTerm(term: string): Test | { error: string } {
  const colon = term.indexOf(":");
  const field = colon > 0 ? term.slice(0, colon).toLowerCase() : "";
  const value = term.slice(colon + 1);
  const number = numbers[field];
  if (number) return numberTest(number, value) ?? { error: `"${value}" is not a number, 5xx, >=100 or 200..299.` };
  const text = texts[field];
  if (text) {
    const wanted = value.toLowerCase();
    return (r) => text(r).toLowerCase().includes(wanted);
  }
  if (/^[a-z]+$/.test(field) && !value.startsWith("/")) {
    return { error: `"${field}" is not a field. Fields: ${filterFields.join(", ")}.` };
  }
  const wanted = term.toLowerCase();
  return (r) =>
    `${r.method} ${r.path} ${r.status} ${r.name} ${r.address} ${r.principal ?? ""}`.toLowerCase().includes(wanted);
}

/** Splits at spaces outside double quotes. */
function words(text: string): string[] {
  return Array.from(text.matchAll(/(?:[^\s"]|"[^"]*"?)+/g), (match) => match[0].replaceAll('"', ""));
}

/** Parses a filter. `NOT x`, `-x` and `!x` negate one term. An empty filter passes everything. */
export function parseRequestFilter(text: string): ParsedFilter {
  const tests: Test[] = [];
  let negate = false;
  for (const word of words(text)) {
    if (word === "NOT") {
      negate = !negate;
      continue;
    }
    if (word === "AND") continue;
    const marked = /^[-!](?=.)/.test(word);
    const parsed = parseTerm(marked ? word.slice(1) : word);
    if ("error" in parsed) return parsed;
    const negated = negate !== marked;
    tests.push(negated ? (r) => !parsed(r) : parsed);
    negate = false;
  }
  if (negate) return { error: "NOT needs something after it." };
  return { test: (request) => tests.every((test) => test(request)), terms: tests.length };
}
