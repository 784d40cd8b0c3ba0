// Password rules and bcrypt behind one short queue, so that a storm of logins cannot take the machine from the tunnels.

import { AppError } from "../lib/errors.ts";
import { isCommonPassword } from "./common-passwords.ts";

/** Cost of new hashes; tests pass a smaller one to createPasswords. */
export const bcryptCost = 12;
const minLength = 10;
/** What bcrypt reads; anything longer would be cut or pre-hashed. */
const maxBytes = 72;
const defaultQueueLimit = 32;

/** The two slow operations, injectable so that tests can count them. */
export interface PasswordHasher {
  hash(password: string, cost: number): Promise<string>;
  verify(password: string, hash: string): Promise<boolean>;
}

export interface Passwords {
  /** Hashes a password that checkPassword accepted. Throws `unavailable` when the queue is full. */
  hash(password: string): Promise<string>;
  /**
   * Whether the password matches. `null` (unknown user, no password, inactive) and hashes from before the cost was raised cost the same
   * work, and `null` is always false. Throws `unavailable` when the queue is full.
   */
  verify(password: string, hash: string | null): Promise<boolean>;
  /** Whether a hash has another cost than new ones: whoever has its password replaces it. One of more cost takes longer until then. */
  isDated(hash: string): boolean;
}

/** Bun's bcrypt on its pool of threads, for commands that make one hash and end. A server has a thread of its own (hash-thread.ts). */
const bunHasher: PasswordHasher = {
  hash: (password, cost) => Bun.password.hash(password, { algorithm: "bcrypt", cost }),
  verify: (password, hash) => Bun.password.verify(password, hash, "bcrypt"),
};

/** Runs one operation at a time; `queueLimit` (32) may run or wait, the next one is refused at once. */
export function createPasswords(
  options: { cost?: number; queueLimit?: number; hasher?: PasswordHasher } = {},
): Passwords {
  const cost = options.cost ?? bcryptCost;
  const queueLimit = options.queueLimit ?? defaultQueueLimit;
  const hasher = options.hasher ?? bunHasher;
  let tail: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  async function queued<T>(work: () => Promise<T>): Promise<T> {
    if (waiting >= queueLimit) throw new AppError("unavailable", undefined, { retryAfterMs: 2_000 });
    waiting += 1;
    const result = tail.then(work);
    tail = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      waiting -= 1;
    }
  }

  return {
    hash: (password) => queued(() => hasher.hash(canonicalPassword(password), cost)),
    verify: (password, hash) =>
      queued(async () => {
        const canonical = canonicalPassword(password);
        const judged = hash ?? dummyHash(cost);
        const matches = await hasher.verify(canonical, judged);
        // Each cost is twice the work of the one before, so these add up to what the dummy takes.
        for (let less = costOf(judged); less < cost; less++) await hasher.verify(canonical, dummyHash(less));
        return hash !== null && matches;
      }),
    isDated: (hash) => costOf(hash) !== cost,
  };
}

/**
 * Judges a new password: at least 10 characters, at most 72 bytes, no control characters, not a common one, not the
 * username. Throws `validation` naming `field`; the password itself is never part of the message.
 */
export function checkPassword(password: string, username: string, field = "password"): void {
  const value = canonicalPassword(password);
  const refuse = (message: string): never => {
    throw new AppError("validation", message, { field });
  };
  if ([...value].length < minLength) refuse(`A password has at least ${minLength} characters.`);
  if (Buffer.byteLength(value) > maxBytes) refuse(`A password has at most ${maxBytes} bytes.`);
  // oxlint-disable-next-line no-control-regex -- control characters are what is being refused
  if (/[\u0000-\u001f\u007f]/.test(value)) refuse("A password has no control characters.");
  if (value.toLowerCase().includes(username.toLowerCase()) && value.length - username.length < 6) {
    refuse("A password is more than the username.");
  }
  if (isCommonPassword(value)) refuse("This password is one of the most common ones. Choose another.");
}

/** One spelling for what keyboards and platforms compose differently. */
function canonicalPassword(password: string): string {
  return password.normalize("NFKC");
}

/** NaN for what is no hash of bcrypt. */
function costOf(hash: string): number {
  return Number(/^\$2[aby]\$(\d\d)\$/.exec(hash)?.[1]);
}

/** A well-formed hash that no password of ours has; only its cost matters. */
function dummyHash(cost: number): string {
  return `$2b$${String(cost).padStart(2, "0")}$gONcgbP2EVb1PzKbepx7xeNnKE7.2W.rkD12.qmDoIVTmhF54Ik3q`;
}
