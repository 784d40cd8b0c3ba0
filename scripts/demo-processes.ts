// The processes of the demo: started in order, stopped in reverse, none left behind.

import { join } from "node:path";

const root = join(import.meta.dir, "..");
const children: Bun.Subprocess[] = [];
let stoppingSinceMs: number | null = null;

/** Starts Bun with `args`; `onLine` gets the lines of its standard error, which otherwise pass through. */
export function start(
  args: string[],
  options: { env: Record<string, string | undefined>; cwd?: string; onLine?: (line: string) => void },
): Bun.Subprocess {
  const { env, cwd = root, onLine } = options;
  // A group of their own: Ctrl-C reaches the demo alone, which stops them in order.
  const child = Bun.spawn([process.execPath, "--preload", join(import.meta.dir, "end-with-parent.ts"), ...args], {
    ...{ cwd, env, detached: true },
    stdio: ["ignore", "inherit", onLine === undefined ? "inherit" : "pipe"],
  });
  children.push(child);
  if (onLine !== undefined && child.stderr instanceof ReadableStream) void readLines(child.stderr, onLine);
  return child;
}

/** Ends the children, the last first, and then this process. A second call half a second later or more waits for nobody. */
export async function stop(exitCode: number): Promise<never> {
  const nowMs = performance.now();
  if (stoppingSinceMs === null) {
    stoppingSinceMs = nowMs;
    for (const child of children.toReversed()) {
      child.kill("SIGTERM");
      await Promise.race([child.exited, Bun.sleep(5_000)]);
      child.kill("SIGKILL");
    }
    process.exit(exitCode);
  }
  // Who signals the whole group and hands the signal on as well means it once.
  if (nowMs - stoppingSinceMs >= 500) {
    for (const child of children) child.kill("SIGKILL");
    process.exit(1);
  }
  return new Promise<never>(() => {});
}

/** Never resolves once the demo is stopping, so that nothing more is started or said. */
export function unlessStopping<T>(work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const whenRunning = (then: () => void) => () => {
    if (stoppingSinceMs === null) then();
  };
  work.then(
    (value) => whenRunning(() => resolve(value))(),
    (error: unknown) => whenRunning(() => reject(error as Error))(),
  );
  return promise;
}

async function readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>, onLine: (line: string) => void) {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
  if (rest !== "") onLine(rest);
}
