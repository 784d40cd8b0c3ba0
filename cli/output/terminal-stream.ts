// Standard output on a terminal, as a stream that waits beside the program: Bun's own waits inside `write`, tunnels and all, while Ctrl-S or an ssh that hangs stops the terminal.

import { constants, openSync, writeSync } from "node:fs";
import { Writable } from "node:stream";

const againAfterMs = 30;

/** Null where the terminal can't be opened a second time: a descriptor shared with the shell must not be made one that never waits. */
export function openTerminal(): Writable | null {
  let fd: number;
  try {
    fd = openSync("/dev/fd/1", constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
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
