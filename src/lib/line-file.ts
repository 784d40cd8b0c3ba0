// Lines appended to a file, or to standard output: never waited for, bounded, and told when some had to be left out.

import { appendFile, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** Lines that wait while the disk is busy. */
const maxWaitingChars = 4 * 1024 * 1024;
const complainMs = 60_000;
const newline = 0x0a;

export interface LineFileOptions {
  /** `-` is standard output. */
  path: string;
  /** The line that says how many are missing before it; with its end. */
  gap(lines: number): string;
  /** Why it can't be written, once a minute at most. */
  failed(why: string): void;
}

/**
 * Opens the file anew for each batch, so that whoever rotates it need not tell us. What is appended while it can't be written is lost and
 * counted. Throws when it can't be opened at all. It is created for its owner alone (0600); one that is there keeps its mode.
 */
export class LineFile {
  private waiting = "";
  private count = 0;
  private isWriting = false;
  private leftOut = 0;
  /** It may end in half a line. */
  private isTorn = false;
  private complainedAt = -Infinity;
  private idle = Promise.withResolvers<void>();

  constructor(private readonly options: LineFileOptions) {
    if (options.path !== "-") this.isTorn = isTorn(options.path);
    // Whoever read it has gone: each write says so as well.
    else process.stdout.on("error", () => undefined);
  }

  /** Takes `count` lines, each with its end. */
  add(lines: string, count: number): void {
    if (this.waiting.length + lines.length > maxWaitingChars) {
      this.leftOut += count;
      return;
    }
    if (this.isTorn) this.waiting += "\n";
    if (this.leftOut > 0) this.waiting += this.options.gap(this.leftOut);
    this.isTorn = false;
    // A gap that is lost is part of the next one.
    this.count += this.leftOut;
    this.leftOut = 0;
    this.waiting += lines;
    this.count += count;
    this.write();
  }

  /** Resolves when nothing waits. */
  async close(): Promise<void> {
    while (this.isWriting) await this.idle.promise;
  }

  private write(): void {
    if (this.isWriting || this.waiting === "") return;
    const { waiting, count, options } = this;
    this.isWriting = true;
    this.waiting = "";
    this.count = 0;
    const done = (error?: Error | null): void => {
      this.isWriting = false;
      if (error) this.lost(count, error);
      if (this.waiting !== "") return this.write();
      this.idle.resolve();
      this.idle = Promise.withResolvers();
    };
    if (options.path === "-") process.stdout.write(waiting, done);
    else appendFile(options.path, waiting, { mode: 0o600 }, done);
  }

  private lost(count: number, error: Error): void {
    this.leftOut += count;
    this.isTorn = true;
    if (performance.now() - this.complainedAt < complainMs) return;
    this.complainedAt = performance.now();
    this.options.failed(error.message);
  }
}

/** Makes the file where there is none. Whether what is there ends in half a line, as a full disk or a crash has left it: false of what can't be read. */
function isTorn(path: string): boolean {
  closeSync(openSync(path, "a", 0o600));
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { size } = fstatSync(fd);
    const last = new Uint8Array(1);
    return size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== newline;
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
