// Disks that fail when a test wants it: one that it can fill, a tmpfs of its own (needs root, as CI has it), and system calls that err.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TinyDisk extends Disposable {
  /** A folder on it. */
  readonly folder: string;
  /** Takes all the space there is but so many bytes, to the page. */
  fill(butBytes?: number): void;
  /** Gives it back. */
  empty(): void;
  /** Nobody can write on it any more, or again. */
  protect(isProtected: boolean): void;
  /** The same disk at another place, where it can only be read: as the volume of a container is mounted into another one. */
  readOnlyView(): Disposable & { readonly folder: string };
}

const isRoot = process.getuid?.() === 0;
const scope = "/proc/sys/kernel/yama/ptrace_scope";

export const canMount = isRoot;
/** Whether strace may attach to a process that it did not start. */
export const canTrace = isRoot || !existsSync(scope) || readFileSync(scope, "utf8").trim() === "0";

export function mountTinyDisk(megabytes: number): TinyDisk {
  const mount = mkdtempSync(join(tmpdir(), "digit-link-disk-"));
  must(["mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", mount]);
  const folder = join(mount, "data");
  mkdirSync(folder, { mode: 0o700 });
  const ballast = join(mount, "ballast");
  return {
    folder,
    fill(butBytes = 0) {
      const { bavail, bsize } = statfsSync(mount);
      writeFileSync(ballast, new Uint8Array(bavail * bsize - butBytes));
    },
    empty: () => rmSync(ballast, { force: true }),
    protect: (isProtected) => must(["mount", "-o", isProtected ? "remount,ro" : "remount,rw", mount]),
    readOnlyView() {
      const view = mkdtempSync(join(tmpdir(), "digit-link-view-"));
      must(["mount", "--bind", mount, view]);
      must(["mount", "-o", "remount,ro,bind", view]);
      return {
        folder: join(view, "data"),
        [Symbol.dispose]() {
          must(["umount", "--lazy", view]);
          rmSync(view, { recursive: true, force: true });
        },
      };
    },
    [Symbol.dispose]() {
      must(["umount", "--lazy", mount]);
      rmSync(mount, { recursive: true, force: true });
    },
  };
}

/** Until disposed of, these system calls of the process on this file fail. Resolves when that is so. */
export async function failOn(
  pid: number,
  path: string,
  calls: string,
  error: "EIO" | "ENOSPC",
): Promise<AsyncDisposable> {
  const flags = ["-f", "-p", String(pid), "-P", path, "-e", `trace=${calls}`, "-e", `inject=${calls}:error=${error}`];
  const strace = Bun.spawn(["strace", ...flags, "-o", "/dev/null"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const reader = strace.stderr.getReader();
  const said = new TextDecoder().decode((await reader.read()).value);
  if (!said.includes("attached")) throw new Error(`strace can't attach: ${said}`);
  return {
    async [Symbol.asyncDispose]() {
      strace.kill("SIGINT");
      await strace.exited;
    },
  };
}

function must(command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command, { stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
}
