// The whole server as a process of its own: what tests need that kill it, count its descriptors or measure its memory.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";
import { program } from "./program.ts";

export interface ServerProcessOptions {
  shards?: number;
  /** Any setting, by its variable. */
  env?: Record<string, string>;
  /** The limit of open files (`ulimit -n`). */
  openFiles?: number;
  /** Lets `fault` make threads hang or throw. */
  faults?: boolean;
  /** More files of this folder that it loads before its own. */
  preload?: readonly string[];
  /** An earlier server's port and folder, to start it again. */
  again?: Pick<ServerProcess, "port" | "folder">;
}

/** A line of the server's log. */
export type LogLine = { level: string; message: string } & Record<string, unknown>;

export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly shards: number;
  /** Database and sockets. Removed when the server is disposed of. */
  readonly folder: string;
  /** `http://localhost:PORT`, what agents are given. */
  readonly origin: string;
  /** The admin's API token; agents of tests may register with it. */
  readonly token: string;
  readonly log: readonly LogLine[];
  /** The exit code; 128 + the signal's number when it was killed. */
  readonly exited: Promise<number>;
  signal(signal: NodeJS.Signals): void;
  /** Creates an account with the operator's command; returns its API token. */
  createAccount(name: string): Promise<string>;
  /** Makes a shard (or the thread "hash") hang for good, throw outside of any handler's care, leave, or end it from outside, wherever it is (only with `faults`). */
  fault(kind: "hang" | "throw" | "exit" | "terminate", thread: number | "hash"): Promise<void>;
}

const token = "dl_test_admin_token_0123456789abcdefghijkl";

/** Starts it on a free port (chosen here, so that public URLs name it); resolves when it is ready. Disposing kills it. */
export async function startServerProcess(options: ServerProcessOptions = {}): Promise<ServerProcess> {
  const { shards = 2, again } = options;
  const folder = again?.folder ?? mkdtempSync(join(tmpdir(), "digit-link-test-"));
  const port = again?.port ?? (await freePorts(1))[0]!;
  const faultFile = join(folder, "fault");
  const files = [...(options.faults === true ? ["shard-faults.ts"] : []), ...(options.preload ?? [])];
  const preload = files.flatMap((file) => ["--preload", join(import.meta.dir, file)]);
  const limited =
    options.openFiles === undefined ? [] : ["sh", "-c", 'ulimit -n "$0" && exec "$@"', `${options.openFiles}`];
  const child = Bun.spawn([...limited, process.execPath, ...preload, await program("src/main.ts")], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? "",
      TMPDIR: folder,
      PORT: String(port),
      HOST: "127.0.0.1",
      DOMAIN: "localhost",
      SCHEME: "http",
      DB_PATH: join(folder, "digit-link.db"),
      ADMIN_TOKEN: token,
      AGENT_WHITELIST: "127.0.0.0/8,::1",
      SHARDS: String(shards),
      BCRYPT_COST: "4",
      MAX_TUNNELS_PER_ACCOUNT: "100000",
      LOG_FORMAT: "json",
      TEST_FAULT_FILE: faultFile,
      ...options.env,
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  endWithThisProcess(child.pid);
  const log: LogLine[] = [];
  const noise: string[] = [];
  void readLines(child.stderr, (line) => {
    try {
      log.push(JSON.parse(line) as LogLine);
    } catch {
      // Bun's own words when something goes badly wrong.
      noise.push(line);
    }
  });
  const { exited } = child;
  let over = false;
  void exited.then(() => (over = true));
  const isUp = (): boolean => log.some(({ message }) => message === "digit-link is up");
  await eventually(() => isUp() || over, "the server listens", 20_000);
  if (!isUp()) throw new Error(`the server did not start: ${JSON.stringify(log)} ${noise.join("\n")}`);
  const origin = `http://localhost:${port}`;
  let faults = 0;
  return {
    ...{ port, pid: child.pid, shards, folder, origin, token, log, exited },
    signal: (signal) => child.kill(signal),
    async createAccount(name) {
      const command = [
        process.execPath,
        await program("cli/main.ts"),
        "admin",
        "create",
        name,
        "--allow",
        "127.0.0.0/8",
      ];
      const env = { PATH: process.env.PATH ?? "", DB_PATH: join(folder, "digit-link.db") };
      const creating = Bun.spawn(command, { cwd: folder, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
      const [code, out, err] = await Promise.all([creating.exited, creating.stdout.text(), creating.stderr.text()]);
      if (code !== 0) throw new Error(`no account: ${err}`);
      return out.trim();
    },
    async fault(kind, thread) {
      const id = ++faults;
      const worker = thread === "hash" ? thread : `shard-${thread}`;
      await Bun.write(faultFile, JSON.stringify({ id, kind, worker }));
      child.kill("SIGUSR2");
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
      if (noise.length > 0) process.stderr.write(`server: ${noise.join("\nserver: ")}\n`);
    },
  };
}

/** However this process ends (a runner's timeout is SIGKILL), its child must not stay. */
export function endWithThisProcess(pid: number): void {
  Bun.spawn(["sh", "-c", `cat >/dev/null; kill -9 ${pid} 2>/dev/null`], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  }).unref();
}

/** Calls `onLine` for each line until the stream ends. */
export async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onLine(line);
  }
  if (rest !== "") onLine(rest);
}
