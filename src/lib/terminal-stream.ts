// A terminal as a stream that waits beside the program: Bun's own waits inside `write`, traffic and all, while Ctrl-S or an ssh that hangs stops the terminal.

import { constants, openSync, writeSync } from "node:fs";
import { Writable } from "node:stream";
import { readTyped } from "./descriptor.ts";

/** More characters are left for the next time. */
const mostTyped = 64 * 1024;
const againAfterMs = 30;

/** The lines that were typed at the terminal on standard input since the last call, each with its end. Nobody else may read it meanwhile. */
export function typedLines(): string {
  const line = Buffer.alloc(4096);
  let text = "";
  for (;;) {
    const length = readTyped(line);
    if (length === 0 || text.length > mostTyped) return text;
    text += line.toString("utf8", 0, length);
  }
}

/** The terminal behind standard output (1) or error (2); null where it can't be opened a second time: the descriptor that is shared with the shell must not be made one that never waits. */
export function openTerminal(standard: 1 | 2): Writable | null {
  let fd: number;
  try {
    fd = openSync(`/dev/fd/${standard}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return null;
  }
  return new Writable({
    // Whoever writes hears at once that something still waits.
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      let written = 0;
      const push = (): void => {
        try {
          while (written < chunk.length) written += writeSync(fd, chunk, written);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === "EAGAIN") setTimeout(push, againAfterMs);
          else done(error as Error);
          return;
        }
        done();
      };
      push();
    },
  });
}
