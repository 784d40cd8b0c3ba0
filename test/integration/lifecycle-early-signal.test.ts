// SIGTERM while the server is still starting: it is not lost, and nothing stays behind.

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../helpers/eventually.ts";
import { testEnv } from "../helpers/server.ts";

setDefaultTimeout(30_000);

test("a signal during the start stops the server as soon as it stands", async () => {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-early-"));
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/main.ts")], {
    env: { PATH: process.env["PATH"] ?? "", ...testEnv(folder, { SOCKET_DIR: join(folder, "sockets") }) },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  const sockets = (): string[] => {
    const names = readdirSync(folder);
    return names.includes("sockets") ? readdirSync(join(folder, "sockets")) : [];
  };
  await eventually(() => sockets().length > 0, "it has begun to start", 20_000, 1);
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  expect(sockets()).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});
