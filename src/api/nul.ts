// No text that comes in holds U+0000: PostgreSQL stores none, so that both engines must refuse it before they are asked.

import { AppError } from "../lib/errors.ts";

/** Throws `bad_request`, which every route knows, and names `field`. */
export function refuseNul(text: string, field: string): void {
  if (text.includes("\0")) throw new AppError("bad_request", `${field} must not hold the character U+0000.`, { field });
}

/** The same for every parameter of a request's query. */
export function checkQuery({ url }: Request): void {
  const start = url.indexOf("?");
  if (start === -1 || !url.includes("%00", start)) return;
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) refuseNul(value, name.replaceAll("\0", ""));
}
