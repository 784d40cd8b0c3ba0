// The parts of a form (multipart/form-data, RFC 7578), strictly as RFC 2046 has them written, and within bounds.

import { shownBytes } from "./shown-bytes.ts";
import type { Part } from "./types.ts";

const mostParts = 100;
const maxHeadBytes = 8_192;
const hexBytes = 64;
const token = String.raw`[\w!#$%&'*+.^\`|~-]+`;
const parameter = new RegExp(String.raw`;[ \t]*(${token})=(?:"((?:[^"\\]|\\.)*)"|(${token}))[ \t]*`, "gy");
const field = new RegExp(String.raw`^(${token}):[ \t]*(.*?)[ \t]*$`);
const boundaryText = /^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/;

/**
 * The parts of a body of this Content-Type; null: it is no form, or not written as one, or has more than 100 parts. `isWhole` false: it may end
 * anywhere, and what ends there counts as far as it goes.
 */
export function formParts(contentType: string, bytes: Buffer, isWhole: boolean): Part[] | null {
  const boundary = parametersOf(contentType, "multipart/form-data")?.get("boundary");
  if (boundary === undefined || !boundaryText.test(boundary)) return null;
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const parts: Part[] = [];
  /** Behind a delimiter. The first one has no line before it. */
  let at = delimiter.length - 2;
  if (!bytes.subarray(0, at).equals(delimiter.subarray(2))) return null;
  for (;;) {
    const next = bytes.toString("latin1", at, at + 4);
    if (next === "--" || next === "--\r\n") return at + next.length < bytes.length || parts.length === 0 ? null : parts;
    if (!isWhole && ["", "\r", "-", "--\r"].includes(next)) return parts;
    if (!next.startsWith("\r\n") || parts.length === mostParts) return null;
    at += 2;
    const headBytes = bytes.subarray(at, at + maxHeadBytes).indexOf("\r\n\r\n");
    if (headBytes < 0) return !isWhole && bytes.length - at < maxHeadBytes ? parts : null;
    const head = readHead(bytes.toString("utf8", at, at + headBytes));
    if (head === null) return null;
    const start = at + headBytes + 4;
    const end = bytes.indexOf(delimiter, start);
    const isCut = end < 0;
    if (isCut && isWhole) return null;
    const content = bytes.subarray(start, isCut ? bytes.length : end);
    parts.push({ ...head, bytes: content.length, isCut, ...shownBytes(content, !isCut, hexBytes) });
    if (isCut) return parts;
    at = end + delimiter.length;
  }
}

/** Null: it is no head of a field or file. */
function readHead(head: string): Pick<Part, "name" | "filename" | "type"> | null {
  const fields = new Map<string, string>();
  for (const line of head.split("\r\n")) {
    const [, name, value] = field.exec(line) ?? [];
    if (name === undefined || fields.has(name.toLowerCase())) return null;
    fields.set(name.toLowerCase(), value!);
  }
  const parameters = parametersOf(fields.get("content-disposition") ?? "", "form-data");
  const name = parameters?.get("name");
  if (name === undefined) return null;
  return { name, filename: parameters!.get("filename") ?? null, type: fields.get("content-type") ?? null };
}

/** The parameters of a value that begins with `kind`, by their names in lower case; null: it does not, or one is malformed or there twice. */
function parametersOf(value: string, kind: string): Map<string, string> | null {
  if (value.slice(0, kind.length).toLowerCase() !== kind) return null;
  const found = new Map<string, string>();
  parameter.lastIndex = kind.length;
  while (parameter.lastIndex < value.length) {
    const [, name, quoted, plain] = parameter.exec(value) ?? [];
    if (name === undefined || found.has(name.toLowerCase())) return null;
    // Browsers write a backslash as it is, and a quote as %22.
    found.set(name.toLowerCase(), plain ?? quoted!.replaceAll('\\"', '"'));
  }
  return found;
}
