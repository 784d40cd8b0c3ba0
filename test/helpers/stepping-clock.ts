// A wall clock that jumps under a running process (libfaketime of Debian); its monotonic clock goes on as it was.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SteppingClock extends Disposable {
  /** What a process needs to live by this clock. */
  readonly env: Record<string, string>;
  /** From now on its clock is that many seconds off, until the next step. */
  step(seconds: number): void;
}

export function fakeClockLibrary(): string | null {
  const found = new Bun.Glob("*/faketime/libfaketimeMT.so.1").scanSync({ cwd: "/usr/lib", absolute: true }).next();
  return found.done === true ? null : found.value;
}

export function createSteppingClock(): SteppingClock {
  const library = fakeClockLibrary();
  if (library === null) throw new Error("libfaketime is missing: apt-get install libfaketime");
  const folder = mkdtempSync(join(tmpdir(), "digit-link-clock-"));
  const file = join(folder, "offset");
  const clock: SteppingClock = {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    step(seconds) {
      // Whole or not at all: the process looks at every call.
      writeFileSync(`${file}.new`, `${seconds < 0 ? "" : "+"}${seconds}\n`);
      renameSync(`${file}.new`, file);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  clock.step(0);
  return clock;
}
