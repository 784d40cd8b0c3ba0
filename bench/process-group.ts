// Starts the programs a benchmark needs and guarantees that none of them, nor their children, outlives it.

import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { processTree } from "./measure/proc.ts";

export interface StartedProcess {
  readonly pid: number;
  /** Where its output goes. */
  readonly logFile: string;
  /** True once it has ended. */
  ended(): boolean;
  /** The end of its output, for an error message. */
  logTail(): string;
  /** Ends it and everything it started; resolves when they are gone. */
  stop(): Promise<void>;
}

/** Owner of every program of a run. `stopAll` may be called any number of times. */
export interface ProcessGroup {
  /** Directory for configurations, keys and logs; removed by whoever created the group. */
  readonly directory: string;
  start(name: string, command: string[], options?: { env?: Record<string, string>; cwd?: string }): StartedProcess;
  /** Ends everything, and from now on `start` throws. */
  stopAll(): Promise<void>;
}

/** Creates a group that logs into `directory` (which exists). The caller calls `stopAll`. */
export function createProcessGroup(directory: string): ProcessGroup {
  const alive = new Set<StartedProcess>();
  let closed = false;
  // The kernel ends the program even when this process is killed with SIGKILL and can clean up nothing.
  const dieWithParent = Bun.which("setpriv") === null ? [] : ["setpriv", "--pdeathsig", "TERM", "--"];
  return {
    directory,
    start(name, command, options = {}) {
      // A party that was still starting when the run was interrupted must not leave a program behind.
      if (closed) throw new Error("The benchmark is over.");
      const logFile = join(directory, `${name}.log`);
      const log = openSync(logFile, "a", 0o600);
      const child = Bun.spawn([...dieWithParent, ...command], {
        stdin: "ignore",
        stdout: log,
        stderr: log,
        env: { ...cleanEnvironment(), ...options.env },
        cwd: options.cwd ?? directory,
      });
      closeSync(log);
      let stopping: Promise<void> | null = null;
      const started: StartedProcess = {
        pid: child.pid,
        logFile,
        ended: () => child.exitCode !== null || child.signalCode !== null,
        logTail: () => readFileSync(logFile, "utf8").slice(-600).trim(),
        stop: () => (stopping ??= endTree(child.pid, child.exited).finally(() => alive.delete(started))),
      };
      alive.add(started);
      return started;
    },
    async stopAll() {
      closed = true;
      await Promise.all([...alive].map((process) => process.stop()));
    },
  };
}

/** Settings of the caller's shell must not steer the programs under test (proxies, PORT, DOMAIN, DATABASE_URL, …). */
function cleanEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "USER", "LANG", "TMPDIR"]) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

async function endTree(root: number, exited: Promise<number>): Promise<void> {
  const members = processTree([root]);
  signal(root, "SIGTERM");
  await Promise.race([exited, Bun.sleep(3_000)]);
  // Children that were left behind (an sshd session, an nginx worker) are ended by their own ids.
  for (const pid of new Set([...members, ...processTree([root])])) signal(pid, "SIGKILL");
  await exited;
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
