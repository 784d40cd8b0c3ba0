// bcrypt on one thread of low priority, which gives way to the shards wherever they want the processor.

import { AppError } from "../lib/errors.ts";
import type { PasswordHasher } from "./passwords.ts";

/** What the thread (workers/hash.ts) is asked; it answers in the order of the questions. */
export type HashJob = { password: string } & ({ kind: "hash"; cost: number } | { kind: "verify"; hash: string });
export type HashAnswer = { value: string | boolean } | { error: string };

export interface HashThread extends PasswordHasher {
  /** Ends the thread; what it had not answered is refused. Resolves when it is gone, at the latest after the hash under way, or its limit. */
  close(): Promise<void>;
}

/** A quarter of a second is usual; where others want the processor, the thread gets a tenth of it. */
const usualLimitMs = 30_000;

/**
 * The thread starts with the first hash and stays. When it dies, or works on one hash for longer than `limitMs`, what it had not answered is
 * refused with `unavailable`, and the next hash starts another one. `url`: the worker's script; `onDeath`: for the log.
 */
export function createHashThread(
  url: string | URL,
  onDeath: (why: string) => void,
  limitMs = usualLimitMs,
): HashThread {
  let running: RunningThread | null = null;
  let isClosing = false;

  function ask(job: HashJob): Promise<string | boolean> {
    if (isClosing) return Promise.reject(refusal("the server ends"));
    running ??= start(url, limitMs, (why) => {
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

function start(url: string | URL, limitMs: number, onGone: (why: string) => void): RunningThread {
  const unanswered: PromiseWithResolvers<string | boolean>[] = [];
  const gone = Promise.withResolvers<void>();
  let why = "it exited";
  let isGone = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const worker = new Worker(url, { name: "hash", smol: true, ref: false });

  /** For the first of what it has to answer. */
  function watch(): void {
    clearTimeout(timer);
    if (unanswered.length > 0) timer = setTimeout(giveUp, limitMs);
  }

  function giveUp(): void {
    why = `no answer within ${limitMs} ms`;
    worker.terminate();
    // Not when it has ended: native code is waited for, however long it takes.
    leave();
  }

  function leave(): void {
    if (isGone) return;
    isGone = true;
    clearTimeout(timer);
    onGone(why);
    for (const asked of unanswered.splice(0)) asked.reject(refusal(`the thread that hashes passwords is gone: ${why}`));
    gone.resolve();
  }

  worker.onmessage = ({ data }: MessageEvent<HashAnswer>) => {
    const asked = unanswered.shift();
    watch();
    if ("error" in data) asked?.reject(new Error(data.error));
    else asked?.resolve(data.value);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    why = event.message.split("\n", 1)[0] ?? why;
  };
  worker.addEventListener("close", leave);
  return {
    ask(job) {
      const asked = Promise.withResolvers<string | boolean>();
      unanswered.push(asked);
      if (unanswered.length === 1) watch();
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
