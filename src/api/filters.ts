// Filters of lists, in one notation: `!` in front of a value means everything but that. Where people type, `NOT x` and `-x` do, too.

import { t } from "elysia";
import type { Choice } from "../db/list-page.ts";
import { text } from "./schemas.ts";

/** A parameter that takes an id. */
export const idFilter = t.Optional(
  text(65, {
    minLength: 1,
    pattern: "^!?[A-Za-z0-9_-]+$",
    description: "An id; with `!` in front: everything but that.",
  }),
);

/** A parameter that takes one of a few words. */
export const wordFilter = (words: readonly string[], description = "") =>
  t.Optional(
    text(40, {
      pattern: `^!?(${words.join("|")})$`,
      description:
        `${words.map((word) => `\`${word}\``).join(", ")}; with \`!\` in front: the others. ${description}`.trim(),
    }),
  );

/** A parameter that takes `true` or `false`. */
export const flagFilter = wordFilter(["true", "false"]);

/** A parameter that takes the beginning of a text. */
export const beginningFilter = (maxLength: number, description: string) =>
  t.Optional(
    text(maxLength, {
      minLength: 1,
      description: `${description} With \`!\`, \`-\` or \`NOT\` in front: all that begin otherwise, in any order.`,
    }),
  );

/** A parameter that takes words, each of which must be found, or must not. */
export const wordsFilter = (description: string) =>
  t.Optional(
    text(100, { minLength: 1, description: `${description} \`!\`, \`-\` or \`NOT\` in front of a word leaves out.` }),
  );

/** What an id or a word of a filter asks for. */
export function choiceOf(asked: string | undefined): Choice | null {
  if (asked === undefined) return null;
  return asked.startsWith("!") ? { value: asked.slice(1), not: true } : { value: asked, not: false };
}

/** Whether a value is what was asked for; nothing asked is any. */
export function isChosen(choice: Choice | null | undefined, value: string | null): boolean {
  return !choice || (value === choice.value) !== choice.not;
}

/** What a flag asks for. */
export function flagOf(asked: string | undefined): boolean | null {
  const choice = choiceOf(asked);
  return choice === null ? null : (choice.value === "true") !== choice.not;
}

/** What a typed text asks for; a mark with nothing behind it asks for nothing. */
export function typedChoice(asked: string | undefined): Choice | null {
  const value =
    asked
      ?.trim()
      .replace(/^(?:[!-]|NOT(?:\s+|$))/, "")
      .trim() ?? "";
  return value === "" ? null : { value, not: value !== asked?.trim() };
}

export interface Words {
  wanted: string[];
  unwanted: string[];
}

/** The words of a search (none without one), in lower case. A mark with nothing behind it means nothing. */
export function wordsOf(search = ""): Words {
  const words: Words = { wanted: [], unwanted: [] };
  let negated = false;
  for (const word of search.split(/\s+/).filter(Boolean)) {
    if (word === "NOT") {
      negated = !negated;
      continue;
    }
    const isMarked = word.length > 1 && /^[!-]/.test(word);
    words[negated === isMarked ? "wanted" : "unwanted"].push((isMarked ? word.slice(1) : word).toLowerCase());
    negated = false;
  }
  return words;
}

/** Whether something `has` the words as it should; an empty search passes everything. */
export function passesWords({ wanted, unwanted }: Words, has: (word: string) => boolean): boolean {
  return wanted.every(has) && !unwanted.some(has);
}
