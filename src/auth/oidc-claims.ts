// Whether an identity that a provider vouched for may pass: e-mail, domains, required claims. Pure.

/** What the policy asks of an identity. */
export interface ClaimRules {
  allowedDomains: readonly string[];
  requiredClaims: Readonly<Record<string, string | number | boolean>>;
}

export interface Identity {
  subject: string;
  /** Only ever an address that the provider says it has verified. */
  email: string | null;
}

/** A refusal names the claim that is not as it must be, where the policy names one. */
export type ClaimVerdict = { ok: true; identity: Identity } | { ok: false; reason: string; claim?: string };

/** Judges the claims of a validated ID token (and of userinfo, merged by the caller). */
export function judgeClaims(claims: Readonly<Record<string, unknown>>, rules: ClaimRules): ClaimVerdict {
  const subject = Object.hasOwn(claims, "sub") ? claims["sub"] : undefined;
  if (typeof subject !== "string" || subject === "") return { ok: false, reason: "no_subject" };
  const address = Object.hasOwn(claims, "email") ? parseEmail(claims["email"]) : null;
  // Strictly the boolean: "true", 1 and a missing claim are all "not verified".
  const verified = Object.hasOwn(claims, "email_verified") && claims["email_verified"] === true;
  if (rules.allowedDomains.length > 0) {
    if (address === null) return { ok: false, reason: "no_email" };
    if (!verified) return { ok: false, reason: "email_not_verified" };
    if (!rules.allowedDomains.includes(address.domain)) return { ok: false, reason: "email_domain" };
  }
  for (const [name, expected] of Object.entries(rules.requiredClaims)) {
    if (!Object.hasOwn(claims, name)) return { ok: false, reason: "claim_missing", claim: name };
    const value = claims[name];
    const matches = value === expected || (Array.isArray(value) && value.includes(expected));
    if (!matches) return { ok: false, reason: "claim_mismatch", claim: name };
  }
  return { ok: true, identity: { subject, email: verified && address !== null ? address.email : null } };
}

/** A plain address with one `@`, lower case; null for anything else (quoted local parts, lists, spaces, IDN in Unicode). */
export function parseEmail(value: unknown): { email: string; domain: string } | null {
  // ASCII before lower-casing: U+212A becomes an ordinary k.
  if (typeof value !== "string" || value.length > 254 || !/^[!-~]+$/.test(value)) return null;
  const match = /^([!#-'*+\-/-9=?A-Z^-~.]+)@([a-z0-9-]+(?:\.[a-z0-9-]+)*)$/.exec(value.toLowerCase());
  const domain = match?.[2];
  return domain === undefined ? null : { email: value.toLowerCase(), domain };
}
