// Bodies as people read them, and as what they are sent again; pure.

import type { Body, Field } from "../../cli/inspector/types.ts";

const longestJson = 500_000;
/** JSON that goes deeper is shown as it is: each level makes all lines in it longer. */
const deepestJson = 100;

/** Whether its text is what was on the wire, all of it. */
export function isAsSent(body: Body): body is Body & { text: string } {
  return body.text !== null && body.note === null && body.kept === body.bytes;
}

/** A text area knows one kind of line end: `text` from it, with those of `before`. */
export function withLineEnds(text: string, before: string): string {
  return before.includes("\r\n") ? text.replaceAll(/\r?\n/g, "\r\n") : text;
}

/** The name of the file as which it is saved. */
export function bodyFile(id: number, which: "request" | "answer"): string {
  return `${which}-${id}.bin`;
}

/** JSON with a line for each value, which stays as it was written; everything else as it is. */
export function prettyBody(text: string, fields: readonly Field[]): string {
  const type = fields.find(({ name }) => name.toLowerCase() === "content-type")?.value ?? "";
  if (!/\bjson\b/i.test(type) || text.length > longestJson) return text;
  try {
    JSON.parse(text);
  } catch {
    // Not JSON, whatever it says.
    return text;
  }
  return indented(text) ?? text;
}

/** Read and written again a number may be another one (9007199254740993), and of two keys of one name the first is lost. Null: it is too deep. */
function indented(json: string): string | null {
  let out = "";
  let depth = 0;
  let before = "";
  for (const [token] of json.matchAll(/"(?:[^"\\]+|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const closes = token === "}" || token === "]";
    const opened = before === "{" || before === "[";
    if (closes) depth--;
    if (closes ? !opened : opened || before === ",") out += `\n${"  ".repeat(depth)}`;
    out += token === ":" ? ": " : token;
    if (token === "{" || token === "[") depth++;
    if (depth > deepestJson) return null;
    before = token;
  }
  return out;
}

/** `00ff…` as lines of sixteen bytes, with what is ASCII beside them. */
export function hexLines(hex: string): string {
  const lines: string[] = [];
  for (let at = 0; at < hex.length; at += 32) {
    const bytes = hex.slice(at, at + 32).match(/../g) ?? [];
    const ascii = bytes.map((byte) => {
      const code = Number.parseInt(byte, 16);
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : ".";
    });
    lines.push(`${(at / 2).toString(16).padStart(4, "0")}  ${bytes.join(" ").padEnd(47)}  ${ascii.join("")}`);
  }
  return lines.join("\n");
}
