// What a shard remembers of credentials it has seen: keyed hashes, bounded, least recently used out first.

import type { Pass } from "./verdict.ts";

/** A remembered outcome; null = refused. */
interface Entry {
  pass: Pass | null;
  version: string;
  untilMs: number;
}

export interface VerdictCache {
  /** The key of one credential under one name; tells nothing about the credential. */
  keyOf(name: string, kind: string, credential: string): string;
  /** A pass, null for a refusal, or undefined when nothing (valid under `version`, still fresh) is known. */
  get(key: string, version: string, nowMs: number): Pass | null | undefined;
  set(key: string, version: string, pass: Pass | null, untilMs: number): void;
  delete(key: string): void;
}

/** Passes and refusals have `capacity` places each, so that a flood of guesses can't push out who is let in. */
export function createVerdictCache(capacity: number): VerdictCache {
  const passes = new Map<string, Entry>();
  const refusals = new Map<string, Entry>();
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");

  function lookup(map: Map<string, Entry>, key: string, version: string, nowMs: number): Entry | undefined {
    const entry = map.get(key);
    if (entry === undefined) return undefined;
    map.delete(key);
    if (entry.version !== version || entry.untilMs <= nowMs) return undefined;
    map.set(key, entry);
    return entry;
  }

  return {
    // The parts are joined by a byte that none of them can hold, so no two triples give one text.
    keyOf: (name, kind, credential) =>
      Bun.CryptoHasher.hash("sha256", `${secret}\n${name}\n${kind}\n${credential}`, "base64"),
    get(key, version, nowMs) {
      const entry = lookup(passes, key, version, nowMs) ?? lookup(refusals, key, version, nowMs);
      return entry === undefined ? undefined : entry.pass;
    },
    set(key, version, pass, untilMs) {
      passes.delete(key);
      refusals.delete(key);
      const map = pass === null ? refusals : passes;
      map.set(key, { pass, version, untilMs });
      if (map.size > capacity) for (const oldest of map.keys()) return void map.delete(oldest);
    },
    delete(key) {
      passes.delete(key);
      refusals.delete(key);
    },
  };
}
