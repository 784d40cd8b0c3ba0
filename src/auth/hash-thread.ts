// bcrypt on one thread of low priority, which gives way to the shards wherever they want the processor.

import { AppError } from "../lib/errors.ts";
import type { PasswordHasher } from "./passwords.ts";

/** What the thread (workers/hash.ts) is asked; it answers in the order of the questions. */
export type HashJob = { password: string } & ({ kind: "hash"; cost: number } | { kind: "verify"; hash: string });
export type HashAnswer = { value: string | boolean } | { error: string };

export interface HashThread extends PasswordHasher {
  /** Ends the thread; what it had not answered is refused. Resolves when it is gone, at the latest after the hash under way. */
  close(): Promise<void>;
}

/**
 * The thread starts with the first hash and stays. When it dies, what it had not answered is refused with `unavailable`, and the
 * next hash starts another one. `url`: the worker's script; `onDeath`: for the log.
 */
export function createHashThread(url: string | URL, onDeath: (why: string) => void): HashThread {
  let running: RunningThread | null = null;
  let isClosing = false;

  function ask(job: HashJob): Promise<string | boolean> {
    if (isClosing) return Promise.reject(refusal("the server ends"));
    running ??= start(url, (why) => {
      running = null;
      if (!isClosing) onDeath(why);
    });
    return running.ask(job);
  }

  return {
    hash: async (password, cost) => String(await ask({ kind: "hash", password, cost })),
    verify: async (password, hash) => (await ask({ kind: "verify", password, hash })) === true,
    async close() {
      isClosing = true;
      await running?.end();
    },
  };
}

interface RunningThread {
  ask(job: HashJob): Promise<string | boolean>;
  end(): Promise<void>;
}

function start(url: string | URL, onGone: (why: string) => void): RunningThread {
  const unanswered: PromiseWithResolvers<string | boolean>[] = [];
  const gone = Promise.withResolvers<void>();
  let why = "it exited";
  const worker = new Worker(url, { name: "hash", smol: true, ref: false });
  worker.onmessage = ({ data }: MessageEvent<HashAnswer>) => {
    const asked = unanswered.shift();
    if ("error" in data) asked?.reject(new Error(data.error));
    else asked?.resolve(data.value);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    why = event.message.split("\n", 1)[0] ?? why;
  };
  worker.addEventListener("close", () => {
    onGone(why);
    for (const asked of unanswered.splice(0)) asked.reject(refusal(`the thread that hashes passwords is gone: ${why}`));
    gone.resolve();
  });
  return {
    ask(job) {
      const asked = Promise.withResolvers<string | boolean>();
      unanswered.push(asked);
      worker.postMessage(job);
      return asked.promise;
    },
    end() {
      worker.terminate();
      return gone.promise;
    },
  };
}

/** The password was not judged. Its cause is for the audit log. */
function refusal(why: string): AppError {
  return new AppError("unavailable", undefined, { retryAfterMs: 2_000, cause: new Error(why) });
}
