// What every contestant of the benchmark is: something that exposes the one local service at an address.

import type { ProcessGroup } from "../process-group.ts";

/** Where visitors connect, and the `Host` values that reach the local service there (the first is the usual one). */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly hostHeaders: readonly [string, ...string[]];
}

export interface PartyContext {
  /** The shared local service on 127.0.0.1. */
  readonly servicePort: number;
  readonly processes: ProcessGroup;
}

export interface RunningParty {
  readonly endpoint: Endpoint;
  /** Root processes; their descendants are counted with them. */
  readonly pids: { readonly server: readonly number[]; readonly agent: readonly number[] };
  stop(): Promise<void>;
}

export interface Party {
  readonly name: string;
  /** `ours` is judged; `peer` is what it is judged against; the others are yardsticks. */
  readonly kind: "ours" | "peer" | "yardstick";
  /** One line for the report. */
  readonly about: string;
  /** Rows it takes part in, by id; all when absent. */
  readonly onlyRows?: readonly string[];
  /** Why it can't take part on this machine (one sentence that says what to do), or null. */
  unavailable(): string | null;
  /** Starts it and resolves when it answers; rejects with the reason. What it started belongs to the group. */
  start(context: PartyContext): Promise<RunningParty>;
}

/** Finds a program on PATH or among cargo's; null when it is not there. */
export function findProgram(name: string): string | null {
  const cargo = `${process.env.HOME ?? "/root"}/.cargo/bin`;
  return Bun.which(name, { PATH: `${process.env.PATH ?? ""}:/usr/sbin:${cargo}` });
}

/** Like `findProgram`, for a party that has said it is available. */
export function requireProgram(name: string): string {
  const found = findProgram(name);
  if (found === null) throw new Error(`${name} is not installed.`);
  return found;
}
