// One spelling per username, used before every look-up and every count.

/** The canonical form: NFKC, lower case, no surrounding space. Two spellings of one name are one name. */
export function canonicalUsername(input: string): string {
  // Lower-casing can produce sequences that normalise further (and the other way round), so it is done on both sides.
  return input.normalize("NFKC").trim().toLowerCase().normalize("NFKC");
}

/** Whether a canonical name may be given to an account: 2 to 64 letters, digits, `.`, `_`, `-`, `@`, `+`, starting with one of the first two. */
export function isValidUsername(canonical: string): boolean {
  return canonical.length <= 64 && /^[\p{L}\p{N}][\p{L}\p{N}\p{M}._@+-]+$/u.test(canonical);
}
