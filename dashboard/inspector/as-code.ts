// A recorded exchange as something to run: a curl command, and a test. What lets somebody in is left to the environment. Pure.

import type { Body, ExchangeDetails, Field } from "../../cli/inspector/types.ts";
import { escapeUnseen, unseenIn } from "../src/ui/unseen.ts";
import { bodyFile, isAsSent } from "./bodies.ts";

/** Set by whoever sends it, or by the server on the way; a test or a command would only copy noise. */
const ownFields =
  /^(?:host|connection|content-length|transfer-encoding|accept-encoding|te|forwarded|via|x-forwarded-.*|x-real-ip|x-request-id|x-digit-link-.*|sec-.*|priority|dnt)$/i;
/** A longer text is compared by its length. */
const longestText = 4_096;
/** An argument may have 128 KiB on Linux. */
const longestArgument = 100_000;
/** What a terminal acts on when it is pasted, or nobody sees there. */
// eslint-disable-next-line no-control-regex
const isUnfit = (text: string): boolean => /[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(text) || unseenIn(text).length > 0;

const variableOf = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9]+|^(?=\d)/g, "_");
const shell = (text: string): string => (/^[A-Z]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
/** A field with bytes above ASCII, which a terminal would send in its own coding: printf makes them, whatever that is. */
const printed = (text: string): string => {
  const format = text.replaceAll(/[\\%]/g, (sign) => (sign === "%" ? "%%" : "\\\\"));
  return `"$(printf -- ${shell(format.replaceAll(/[^\t\x20-\x7e]/g, (byte) => `\\${byte.charCodeAt(0).toString(8)}`))})"`;
};
const sentFields = ({ request }: ExchangeDetails): Field[] =>
  request.fields.filter(({ name }) => !ownFields.test(name));
const has = ({ request }: ExchangeDetails, wanted: string): boolean =>
  request.fields.some(({ name }) => name.toLowerCase() === wanted);

/** Whether the command reads the request's body from a file, as which the page saves it. */
function takesFile({ request: { body } }: ExchangeDetails): boolean {
  return body.bytes > 0 && (!isAsSent(body) || body.text.length > longestArgument || isUnfit(body.text));
}

/** A command for a POSIX shell. Method and names of fields are a visitor's words too, and may have a backtick or a dollar. */
export function toCurl(exchange: ExchangeDetails): string {
  const { id, method, path, local, request } = exchange;
  const hasBody = request.body.bytes > 0;
  const parts = ["curl -i"];
  if (method === "HEAD") parts[0] += " --head";
  else if (method !== "GET" || hasBody) parts[0] += ` -X ${shell(method)}`;
  // It would ask for several paths, or for another one.
  if (/[[\]{}]/.test(path)) parts[0] += " --globoff";
  if (/\/(?:\.|%2e){1,2}(?:[/?]|$)/i.test(path)) parts[0] += " --path-as-is";
  parts.push(shell(`${local}${path}`));
  if (has(exchange, "accept-encoding")) parts.push("--compressed");
  for (const { name, value, hidden } of sentFields(exchange)) {
    if (hidden) parts.push(`-H ${shell(`${name}: `)}"$${variableOf(name)}"`);
    else if (/[^\t\x20-\x7e]/.test(value)) parts.push(`-H ${printed(`${name}: ${value}`)}`);
    else parts.push(`-H ${shell(value === "" ? `${name};` : `${name}: ${value}`)}`);
  }
  if (hasBody && !has(exchange, "content-type")) parts.push("-H 'Content-Type:'");
  if (hasBody)
    parts.push(
      takesFile(exchange) ? `--data-binary @${bodyFile(id, "request")}` : `--data-raw ${shell(request.body.text!)}`,
    );
  return parts.join(" \\\n  ");
}

/** A test for `bun test` that asks for the same and expects the same. */
export function toTest(exchange: ExchangeDetails): string {
  const { id, method, path, local, request, answer, status } = exchange;
  const lines = [
    `import { expect, test } from "bun:test";`,
    "",
    `test(${JSON.stringify(`${method} ${path} answers ${status}`)}, async () => {`,
    `  const answer = await fetch(${JSON.stringify(local + path)}, {`,
    `    method: ${JSON.stringify(method)},`,
    `    redirect: "manual",`,
  ];
  const fields = sentFields(exchange).map(({ name, value, hidden }) => {
    const text = hidden ? `process.env[${JSON.stringify(variableOf(name))}] ?? ""` : JSON.stringify(value);
    return `      [${JSON.stringify(name)}, ${text}],`;
  });
  if (fields.length > 0) lines.push("    headers: [", ...fields, "    ],");
  if (request.body.bytes > 0) {
    const file = `Bun.file(${JSON.stringify(bodyFile(id, "request"))})`;
    lines.push(`    body: ${isAsSent(request.body) ? JSON.stringify(request.body.text) : file},`);
  }
  lines.push("  });", `  expect(answer.status).toBe(${status});`);
  const type = answer?.fields.find(({ name }) => name.toLowerCase() === "content-type")?.value;
  if (type !== undefined) lines.push(`  expect(answer.headers.get("Content-Type")).toBe(${JSON.stringify(type)});`);
  const isWhole = exchange.totalMs !== null && exchange.error === null;
  if (answer !== null && isWhole && method !== "HEAD") lines.push(...expectedBody(answer.body, type ?? ""));
  lines.push("});", "");
  // Whoever reads it in an editor sees what it does.
  return escapeUnseen(lines.join("\n"));
}

function expectedBody({ text, bytes, kept }: Body, type: string): string[] {
  if (text === null || text === "" || kept < bytes) return [];
  if (/\bjson\b/i.test(type)) {
    try {
      const value = JSON.stringify(JSON.parse(text), null, 2).replaceAll("\n", "\n  ");
      return [`  expect(await answer.json()).toEqual(${value});`];
    } catch {
      // Not JSON, whatever it says: it is compared as text.
    }
  }
  if (text.length > longestText) return [`  expect((await answer.text()).length).toBe(${text.length});`];
  return [`  expect(await answer.text()).toBe(${JSON.stringify(text)});`];
}
