// What one entry of the table of settings is, and how the tables write it.

import * as kind from "./kinds.ts";
import type { Kind } from "./kinds.ts";

/** A setting as the documentation and the loader see it. */
export interface Setting<T> {
  /** The environment variable; in digit-link.toml and as a flag the same in lower case (`db_path`, `--db-path`). */
  readonly name: string;
  readonly kind: Kind<NonNullable<T>>;
  readonly initial: T;
  readonly doc: string;
  /** What the documentation says instead of the value, for defaults that depend on others. */
  readonly initialText: string | undefined;
}

/** A setting with a default. */
export function setting<T extends {}>(name: string, of: Kind<T>, initial: NoInfer<T>, doc: string): Setting<T> {
  return { name, kind: of, initial, doc, initialText: undefined };
}

/** A setting that may be left out; `initialText` says what happens then. */
export function optional<T extends {}>(
  name: string,
  of: Kind<T>,
  doc: string,
  initialText = "none",
): Setting<T | null> {
  return { name, kind: of, initial: null, doc, initialText };
}

/** The default as the documentation writes it, `literal` around what is to be typed. */
export function defaultText({ kind, initial, initialText }: Setting<unknown>, literal = ""): string {
  return initialText ?? (initial === null ? "none" : `${literal}${kind.show(initial as {})}${literal}`);
}

export const second = 1_000;
export const minute = 60 * second;
export const day = 24 * 60 * minute;
export const port = kind.integer({ min: 0, max: 65_535 });
export const count = kind.integer({ min: 1, max: 10_000_000 });
export const anySize = kind.bytes({ min: 0, max: 2 ** 50 });
export const time = kind.duration();
/** What ends in a timer of its own: one of more than 24.8 days would fire at once. */
export const timer = kind.duration({ minMs: 1, maxMs: day });
export const path = kind.text("the path of a file or folder");
