// The process's edge: real streams and colours in, the exit code out.

import { readFileSync } from "node:fs";
import type { Io } from "./command.ts";
import { errnoText } from "./config-file.ts";
import { exitCodes } from "./exit-codes.ts";
import { createStyle, wantsColor } from "./output/style.ts";
import { run } from "./run.ts";
import { bunRange, version } from "./version.ts";

/** Runs the command line of this process and ends the process. */
export async function main(): Promise<void> {
  if (!Bun.semver.satisfies(Bun.version, bunRange)) {
    process.stderr.write(
      `digit-link: Version ${version} needs Bun ${bunRange}, and this is ${Bun.version}; run: bun upgrade\n`,
    );
    process.exit(exitCodes.failure.exitCode);
  }
  // A reader that went away (`| head`) ends the output, not the program with a stack trace.
  let lost: unknown = null;
  process.stdout.on("error", (error: unknown) => {
    if (!isGone(error)) lost ??= error;
  });
  process.stderr.on("error", () => undefined);
  const io: Io = {
    env: process.env,
    out: (line) => void process.stdout.write(`${line}\n`),
    deliver,
    problem: (line) => void process.stderr.write(`${line}\n`),
    style: createStyle(wantsColor(process.env, process.stdout.isTTY === true)),
    problemStyle: createStyle(wantsColor(process.env, process.stderr.isTTY === true)),
  };
  const exitCode = await run(process.argv.slice(2), io);
  await Promise.race([flushed(process.stdout), Bun.sleep(1000)]);
  if (lost === null || exitCode !== exitCodes.ok.exitCode) process.exit(exitCode);
  io.problem(`digit-link: The output cannot be written: ${errnoText(lost)}.`);
  process.exit(exitCodes.failure.exitCode);
}

function deliver(line: string): Promise<string | null> {
  if (wasClosed()) return Promise.resolve("it is closed");
  const { promise, resolve } = Promise.withResolvers<string | null>();
  process.stdout.write(`${line}\n`, (error) =>
    resolve(error ? (isGone(error) ? "nobody reads it" : errnoText(error)) : null),
  );
  return promise;
}

/** Whether standard output was closed from the start: Bun then opens /dev/null there, with O_CLOEXEC, which no descriptor that came through exec has. Only Linux tells. */
function wasClosed(): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync("/proc/self/fdinfo/1", "utf8"))?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & 0o2000000) !== 0;
  } catch {
    return false;
  }
}

/** Whether nobody reads any more: a pipe's reader, or the terminal. */
function isGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return code === "EPIPE" || code === "EIO";
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  // Not the callback of an empty write: Bun calls that while earlier lines still wait.
  stream.end(() => resolve());
  return promise;
}
