// Text from outside, made harmless for a terminal: no escapes, no forged lines, no reordering.

import { escapeControls } from "../../src/lib/log.ts";

/** Makes control and direction-changing characters visible. Everything a server, visitor or file sent passes here first. */
export function safe(text: string): string {
  return escapeControls(text).replace(/[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, toEscape);
}

/** One JSON line that parses to exactly `value`, with nothing in it that a terminal would act on. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, toEscape);
}

function toEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
