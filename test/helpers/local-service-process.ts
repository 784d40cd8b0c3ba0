// The local service of the tests as a process of its own, so that it can be killed in the middle of anything.

import { startLocalService } from "./local-service.ts";
import { endWithThisProcess, readLines } from "./server-process.ts";
import { writeJournal } from "./upload-journal.ts";

export interface LocalServiceProcess extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  kill(): Promise<void>;
}

/** Starts it, on a free port or on that of one that was killed. `journal` is a file that tells what it saw of uploads. */
export async function startLocalServiceProcess(port = 0, journal = ""): Promise<LocalServiceProcess> {
  const child = Bun.spawn([process.execPath, import.meta.path, String(port), journal], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  endWithThisProcess(child.pid);
  const { promise, resolve } = Promise.withResolvers<number>();
  void readLines(child.stdout, (line) => resolve(Number(line)));
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { port: await promise, pid: child.pid, kill, [Symbol.asyncDispose]: kill };
}

if (import.meta.main) {
  const [, , port, journal = ""] = process.argv;
  const heard = journal === "" ? undefined : writeJournal.bind(null, journal);
  const service = startLocalService("127.0.0.1", Number(port), heard);
  process.stdout.write(`${service.port}\n`);
}
