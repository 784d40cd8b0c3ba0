// What a visitor shows to be let in: the credential lines of a request as text, and what was made of them.

import { AUTHORIZATION, COOKIE, X_API_KEY } from "../../src/http1/fields.ts";
import { Head } from "../../src/http1/head.ts";
import { latin1 } from "../../src/lib/bytes.ts";
import { forwardedValue, type Strip } from "../../src/policy/strip.ts";
import { type Credential, readApiKey, readBasic, readSession } from "./credentials.ts";

/** The fields that may hold a credential for us, as `forwardedValue` calls them. */
const names = new Map([
  [COOKIE, "cookie"],
  [AUTHORIZATION, "authorization"],
  [X_API_KEY, "x-api-key"],
]);
/** By the id of a field: 1 for those. */
export const isShown = Uint8Array.from({ length: 256 }, (_, id) => (names.has(id) ? 1 : 0));

/** One line as it came. */
interface Line {
  id: number;
  text: string;
  name: string;
  value: string;
}

/** What is forwarded in place of each line: null = the line itself, "" = nothing. */
interface Stripped {
  strip: Strip;
  instead: readonly (string | null)[];
}

/**
 * Made of one head, and as true of every other that `isOf`. What it finds in itself it finds once; whether anybody passes with it is no part of
 * it, and asked each time.
 */
export class Shown {
  private readonly lines: readonly Line[];
  private foundSession: Credential | null = null;
  private foundKey: Credential | null = null;
  private foundBasic: Credential | null = null;
  private stripped: Stripped | null = null;

  constructor(head: Head) {
    const lines: Line[] = [];
    for (let i = 0; i < head.count; i++) if (isShown[head.id[i]!] === 1) lines.push(lineOf(head, i));
    this.lines = lines;
  }

  /** Whether `head` shows the same, byte for byte. How long that takes says nothing of how much of a line is the same. */
  isOf(head: Head): boolean {
    const { lines } = this;
    let next = 0;
    for (let i = 0; i < head.count; i++) {
      if (isShown[head.id[i]!] === 0) continue;
      if (next === lines.length || !isSame(head, i, lines[next]!.text)) return false;
      next++;
    }
    return next === lines.length;
  }

  /** The visitor's session; `scheme` is the same in all of a shard. */
  session(scheme: "http" | "https"): Credential | null {
    return (this.foundSession ??= readSession(this.only(COOKIE), scheme));
  }

  /** See `readApiKey`. */
  apiKey(strict: boolean): Credential | null {
    if (this.foundKey !== null) return this.foundKey;
    const found = readApiKey(this.only(X_API_KEY), this.only(AUTHORIZATION), strict);
    // What only a strict policy takes for a key is none under another.
    if (found?.text.startsWith("dlk_") === true) this.foundKey = found;
    return found;
  }

  basic(): Credential | null {
    return (this.foundBasic ??= readBasic(this.only(AUTHORIZATION)));
  }

  /** `stripOurs` of a head that shows this. */
  strip(head: Head, strip: Strip): string {
    if (this.lines.length === 0) return "";
    const instead = this.strippedBy(strip);
    let lines = "";
    for (let i = 0, next = 0; next < instead.length; i++)
      if (isShown[head.id[i]!] === 1) lines += replace(head, i, instead[next++]!);
    return lines;
  }

  private strippedBy(strip: Strip): Stripped["instead"] {
    if (this.stripped?.strip === strip) return this.stripped.instead;
    const instead = this.lines.map(({ id, name, value }) => {
      const kept = forwardedValue(names.get(id)!, value, strip);
      if (kept === value) return null;
      return kept === null ? "" : `${name}: ${kept}\r\n`;
    });
    this.stripped = { strip, instead };
    return instead;
  }

  /** The value of the only line of a field, spelled with `-`; null when it is missing or there twice. */
  private only(id: number): string | null {
    let found: string | null = null;
    for (const line of this.lines) {
      if (line.id !== id || line.name.includes("_")) continue;
      if (found !== null) return null;
      found = line.value;
    }
    return found;
  }
}

/** Of a head without any such line. */
export const nothingShown = new Shown(new Head());

/** Keeps what is ours of `head` from being copied; returns the lines that are forwarded in its place. */
export function stripOurs(head: Head, strip: Strip): string {
  let lines = "";
  for (let i = 0; i < head.count; i++) {
    if (isShown[head.id[i]!] === 0) continue;
    const value = head.value(i);
    const kept = forwardedValue(names.get(head.id[i]!)!, value, strip);
    if (kept !== value) lines += replace(head, i, kept === null ? "" : `${nameOf(head, i)}: ${kept}\r\n`);
  }
  return lines;
}

/** Drops field `index` for `line`, null = for nothing else; what `Connection` names goes no further, whatever is left of it. */
function replace(head: Head, index: number, line: string | null): string {
  if (line === null || head.hop[index] === 1) return "";
  head.hop[index] = 1;
  return line;
}

function nameOf(head: Head, index: number): string {
  return latin1(head.bytes, head.nameStart[index]!, head.nameEnd[index]!);
}

function lineOf(head: Head, index: number): Line {
  const start = head.nameStart[index]!;
  const text = latin1(head.bytes, start, head.valueEnd[index]!);
  const name = text.slice(0, head.nameEnd[index]! - start);
  return { id: head.id[index]!, text, name, value: text.slice(head.valueStart[index]! - start) };
}

/** All bytes are looked at: the text may be another visitor's. */
function isSame(head: Head, index: number, text: string): boolean {
  const { bytes } = head;
  const start = head.nameStart[index]!;
  if (head.valueEnd[index]! - start !== text.length) return false;
  let different = 0;
  for (let i = 0; i < text.length; i++) different |= bytes[start + i]! ^ text.charCodeAt(i);
  return different === 0;
}
