// Entry point of the thread that hashes passwords (src/auth/hash-thread.ts): lowers its own priority, then answers one job after another.

import type { HashAnswer, HashJob } from "../src/auth/hash-thread.ts";
import { lowerPriority } from "../src/lib/descriptor.ts";

declare const self: Worker;

/** Gives way to the shards, and still gets a tenth of a processor that somebody else wants all of: the figures are in ARCHITECTURE.md. */
const steps = 10;

lowerPriority(steps);

self.onmessage = ({ data }: MessageEvent<HashJob>): void => {
  let answer: HashAnswer;
  try {
    answer = { value: work(data) };
  } catch (error) {
    // A stored hash that is none, for one: it fails this job, not the thread.
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(answer);
};

function work(job: HashJob): string | boolean {
  return job.kind === "hash"
    ? Bun.password.hashSync(job.password, { algorithm: "bcrypt", cost: job.cost })
    : Bun.password.verifySync(job.password, job.hash, "bcrypt");
}
