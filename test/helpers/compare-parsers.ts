// What "we never accept what they refuse, nor frame it differently" means between two parsers' results.

import { llhttpMethods } from "./llhttp.ts";
import type { ParsedMessage, ParseResult } from "./parsed-message.ts";

/** Trailers that we drop on purpose, written down once more so that the codec's own table is tested. */
const droppedTrailers = new Set(
  (
    "host connection upgrade keep-alive proxy-connection proxy-authenticate proxy-authorization te forwarded x-real-ip " +
    "x-request-id expect accept cookie set-cookie authorization x-api-key"
  ).split(" "),
);

/** Whether a trailer of this name goes no further. */
function isDroppedTrailer(name: string): boolean {
  const canonical = name.toLowerCase().replaceAll("_", "-");
  return droppedTrailers.has(canonical) || /^x-(forwarded|digit-link)-./.test(canonical);
}

/** Why `ours` is not safe beside `theirs`; null when it is. */
export function disagreement(ours: ParseResult, theirs: ParseResult): string | null {
  for (const [index, mine] of ours.messages.entries()) {
    const other = theirs.messages[index];
    // A valid method that they happen not to know says nothing about the grammar.
    if (other === undefined && isUnknownMethod(mine.method)) return null;
    // They also obey a Connection among the trailers; closing is never wrong, and the message was read alike.
    if (other === undefined && theirs.closed && hasConnectionTrailer(theirs.messages[index - 1])) return null;
    // Node stops reading behind a request for an upgrade that nobody takes up.
    if (other === undefined && theirs.closed && asksForUpgrade(theirs.messages[index - 1])) return null;
    if (other === undefined)
      return `message ${index} is accepted by us, but not by them: ${theirs.refused ?? "open or closed"}`;
    const difference = differs(mine, other);
    if (difference !== null) return `message ${index} is read differently: ${difference}`;
  }
  return null;
}

function hasConnectionTrailer(message: ParsedMessage | undefined): boolean {
  return message?.trailers.some(([name]) => name.toLowerCase() === "connection") ?? false;
}

function asksForUpgrade(message: ParsedMessage | undefined): boolean {
  return message?.fields.some(([name]) => name.toLowerCase() === "upgrade") ?? false;
}

function isUnknownMethod(method: string): boolean {
  return /^[A-Z0-9!#$%&'*+.^_`|~-]+$/.test(method) && !llhttpMethods.includes(method);
}

function differs(mine: ParsedMessage, other: ParsedMessage): string | null {
  for (const key of ["method", "target", "status", "body"] as const)
    if (mine[key] !== other[key]) return `${key}: ${JSON.stringify(mine[key])} / ${JSON.stringify(other[key])}`;
  if (JSON.stringify(mine.fields) !== JSON.stringify(other.fields))
    return `fields: ${JSON.stringify(mine.fields)} / ${JSON.stringify(other.fields)}`;
  const kept = other.trailers.filter(([name]) => !isDroppedTrailer(name));
  if (JSON.stringify(mine.trailers) !== JSON.stringify(kept))
    return `trailers: ${JSON.stringify(mine.trailers)} / ${JSON.stringify(kept)}`;
  return null;
}
