// Encryption of secrets at rest: AES-256-GCM under keys derived per purpose from ENCRYPTION_KEY, bound to their row.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/** What is sealed; each purpose has its own key, so that one kind of value can never be opened as another. */
export type SealPurpose = "totp-seed" | "oidc-secret" | "oauth-state" | "setup-draft";

/** A sealed value is damaged, belongs elsewhere, or its key is gone. Whoever judges with it denies. */
export class SealError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SealError";
  }
}

export interface Sealer {
  /** Seals with the newest key. `row` names the row (`accounts/ID`): the value opens nowhere else. */
  seal(purpose: SealPurpose, row: string, plaintext: string): string;
  /** Opens with whichever key sealed it. Throws SealError. */
  open(purpose: SealPurpose, row: string, sealed: string): string;
  /** What values of the newest key begin with. */
  readonly newestPrefix: string;
  readonly hasOlderKeys: boolean;
}

interface Key {
  id: string;
  derive(purpose: SealPurpose): Buffer;
}

const ivBytes = 12;
const tagBytes = 16;

/**
 * `keys` is ENCRYPTION_KEY split at its commas, newest first: the first one seals, all of them open.
 * A sealed value is `v1.KEYID.base64url(iv, ciphertext, tag)`.
 */
export function createSealer(keys: readonly string[]): Sealer {
  const ring = keys.map(createKey);
  const newest = ring[0];
  if (newest === undefined) throw new SealError("ENCRYPTION_KEY is empty.");

  return {
    seal(purpose, row, plaintext) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv("aes-256-gcm", newest.derive(purpose), iv);
      cipher.setAAD(associatedData(purpose, row, newest.id));
      const bytes = Buffer.concat([iv, cipher.update(plaintext, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return `v1.${newest.id}.${bytes.toString("base64url")}`;
    },
    open(purpose, row, sealed) {
      const [version, keyId, payload, ...rest] = sealed.split(".");
      if (version !== "v1" || keyId === undefined || payload === undefined || rest.length > 0) {
        throw new SealError("This is not a sealed value.");
      }
      const key = ring.find((candidate) => candidate.id === keyId);
      if (key === undefined) throw new SealError(`The key ${JSON.stringify(keyId)} is not part of ENCRYPTION_KEY.`);
      const bytes = Buffer.from(payload, "base64url");
      if (bytes.length < ivBytes + tagBytes) throw new SealError("The sealed value is too short.");
      const decipher = createDecipheriv("aes-256-gcm", key.derive(purpose), bytes.subarray(0, ivBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(associatedData(purpose, row, key.id));
      decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
      try {
        const text = bytes.subarray(ivBytes, bytes.length - tagBytes);
        return Buffer.concat([decipher.update(text), decipher.final()]).toString("utf8");
      } catch (cause) {
        throw new SealError("The sealed value was changed, or belongs to another row.", { cause });
      }
    },
    newestPrefix: `v1.${newest.id}.`,
    hasOlderKeys: ring.length > 1,
  };
}

function createKey(secret: string): Key {
  const derived = new Map<SealPurpose, Buffer>();
  return {
    // An id that tells nothing about the key, and is the same in every process that has it.
    id: Buffer.from(hkdfSync("sha256", secret, "digit-link", "key-id", 6)).toString("hex"),
    derive(purpose) {
      const known = derived.get(purpose);
      if (known !== undefined) return known;
      const key = Buffer.from(hkdfSync("sha256", secret, "digit-link", `seal/${purpose}`, 32));
      derived.set(purpose, key);
      return key;
    },
  };
}

function associatedData(purpose: SealPurpose, row: string, keyId: string): Buffer {
  return Buffer.from(JSON.stringify([purpose, row, keyId]), "utf8");
}
