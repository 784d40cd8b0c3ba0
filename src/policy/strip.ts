// Which header lines of a visitor hold credentials for us and therefore never reach the local service.

import { stripCookies } from "./cookies.ts";

/** Under `keys+basic` (a basic policy) `Authorization: Basic` is ours too; otherwise it is the application's. */
export type Strip = "keys" | "keys+basic";

/** What is forwarded of one header line: the value (perhaps shorter), or null when the line is dropped. Judged line by line. */
export function forwardedValue(name: string, value: string, strip: Strip): string | null {
  switch (name) {
    case "cookie":
      return stripCookies(value);
    case "x-api-key":
      return value.startsWith("dlk_") ? null : value;
    case "authorization":
      if (/^bearer +dlk_/i.test(value)) return null;
      return strip === "keys+basic" && /^basic(?: |$)/i.test(value) ? null : value;
    default:
      return value;
  }
}
