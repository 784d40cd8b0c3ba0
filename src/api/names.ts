// Names that people give to organizations and applications: how they are cleaned, compared and refused.

import { AppError } from "../lib/errors.ts";
import { isReservedName, isValidName } from "../lib/names.ts";

/** A display name without surrounding space. Throws `validation` for empty ones and for control characters. */
export function checkDisplayName(input: string): string {
  const name = input.normalize("NFKC").trim().replace(/ +/g, " ");
  // Other spaces, control and format characters would make two names look like one.
  if (name === "" || name.length > 100 || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(name)) {
    throw new AppError("validation", "name must have 1 to 100 visible characters.", { field: "name" });
  }
  return name;
}

/** The form in which two spellings of a name are one. */
export function nameKey(name: string): string {
  return name.normalize("NFKC").trim().toLowerCase().normalize("NFKC");
}

/** A subdomain in lower case. Throws `validation` for what no name may be, and for reserved ones. */
export function checkSubdomain(input: string, reservedNames: readonly string[]): string {
  const subdomain = input.trim().toLowerCase();
  if (!isValidName(subdomain)) {
    const rule = "subdomain must be 1 to 63 of a-z, 0-9 and -, and neither start nor end with -.";
    throw new AppError("validation", rule, { field: "subdomain" });
  }
  if (isReservedName(subdomain, reservedNames)) {
    throw new AppError("validation", "subdomain is reserved.", { field: "subdomain" });
  }
  return subdomain;
}
