// Ids of rows: a prefix that says what it is, the time (so that they sort by age), and 80 random bits.

export type IdPrefix =
  "acc" | "org" | "app" | "pol" | "key" | "wl" | "tun" | "ses" | "rec" | "oal" | "aud" | "req" | "agt";

/** Crockford's base 32 in lower case: no i, l, o, u; sorts like the number it stands for. */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** A new id such as `acc_01jdkm3v9qf3a7…`: never a secret, unique across processes, 26 characters after the prefix. */
export function newId(prefix: IdPrefix, nowMs: number = Date.now()): string {
  let time = "";
  for (let rest = nowMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = alphabet[rest % 32] + time;
  let random = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) random += alphabet[byte & 31];
  return `${prefix}_${time}${random}`;
}
