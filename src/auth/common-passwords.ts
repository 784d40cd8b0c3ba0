// The most common passwords, and the words that people decorate with digits until a form is content.

import list from "./common-passwords.txt" with { type: "text" };

const [whole = "", stems = ""] = list.split("# Refused when all else is digits and signs.\n");
const entries = (part: string): Set<string> =>
  new Set(part.split("\n").filter((line) => line !== "" && !line.startsWith("#")));
const common = entries(whole);
const words = entries(stems);

const leet: Record<string, string> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "@": "a",
  $: "s",
  "!": "i",
};

/**
 * Whether a password of ten or more characters is among the most common: on the list; one character or a short piece
 * over and over; a run of neighbours (`abcdefghij`, `9876543210`); or one listed word with digits and signs around it,
 * also in leet (`P@ssw0rd2024!`).
 */
export function isCommonPassword(password: string): boolean {
  const lower = password.toLowerCase();
  if (common.has(lower)) return true;
  if (/^(.{1,4})\1+$/u.test(lower) || isRun(lower)) return true;
  const core = lower.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, "");
  return [core, ...decorations(lower)].some((stem) => words.has(stem) || words.has(halfOfDoubled(stem)));
}

/** What remains of a password when its ends are stripped of decoration, before and after reading leet. */
function decorations(lower: string): string[] {
  const withoutEnds = lower.replace(/^[\d\p{P}\p{S}]+|[\d\p{P}\p{S}]+$/gu, "");
  const unleet = (value: string): string => [...value].map((char) => leet[char] ?? char).join("");
  // `p@ssw0rd1234!!`: cut digits and signs at the end only where a letter precedes them, then read the rest as leet.
  const tail = lower.replace(/[\d\p{P}\p{S}]{1,8}$/u, "");
  return [unleet(withoutEnds), unleet(tail), unleet(lower)];
}

/** `adminadmin` -> `admin`; empty text for what is not one thing twice. */
function halfOfDoubled(value: string): string {
  const half = value.slice(0, value.length / 2);
  return half + half === value ? half : "";
}

function isRun(value: string): boolean {
  const steps = new Set<number>();
  for (let i = 1; i < value.length; i++) steps.add(value.charCodeAt(i) - value.charCodeAt(i - 1));
  const [step] = steps;
  return steps.size === 1 && step !== undefined && Math.abs(step) <= 1;
}
