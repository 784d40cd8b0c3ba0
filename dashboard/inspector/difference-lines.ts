// Two answers line by line; pure.

import { diffLines } from "diff";
import type { Message } from "../../cli/inspector/types.ts";
import { prettyBody } from "./bodies.ts";

/** More is not compared: nobody would read it, and the page would stand still. */
const longest = 200_000;
const mostMs = 500;
/** Lines around a change that are shown. */
const context = 3;
/** They differ in every answer, and tell nothing. */
const restless = /^(?:date|age|x-request-id|x-response-time|server-timing)$/i;

interface Line {
  sign: "+" | "-" | " " | "…";
  text: string;
}

/** Null: it can't be told. */
export function differenceOf(before: Message, after: Message): Line[] | null {
  const [old, now] = [textOf(before), textOf(after)];
  if (old === null || now === null || old.length + now.length > longest) return null;
  const changes = diffLines(old, now, { timeout: mostMs });
  return changes === undefined ? null : changes.flatMap(linesOf);

  function linesOf({ value, added, removed }: { value: string; added: boolean; removed: boolean }, at: number): Line[] {
    const texts = value.replace(/\n$/, "").split("\n");
    if (added || removed) return texts.map((text) => ({ sign: added ? "+" : "-", text }));
    const [before, after] = [at === 0 ? 0 : context, at === changes!.length - 1 ? 0 : context];
    const all = texts.map((text): Line => ({ sign: " ", text }));
    if (texts.length <= before + after + 1) return all;
    const left: Line = { sign: "…", text: `${texts.length - before - after} lines are the same` };
    return [...all.slice(0, before), left, ...(after === 0 ? [] : all.slice(-after))];
  }
}

function textOf({ line, fields, body }: Message): string | null {
  if (body.text === null) return null;
  const shown = fields.filter(({ name }) => !restless.test(name)).map(({ name, value }) => `${name}: ${value}`);
  return `${[line, ...shown, "", prettyBody(body.text, fields)].join("\n")}\n`;
}
