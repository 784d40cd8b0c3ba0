// Ports for tests that run beside each other.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { freePorts } from "./free-ports.ts";

test.skipIf(process.platform !== "linux")("a port that was given out is nobody else's, in no process", async () => {
  const [port = 0] = await freePorts(1);
  const again = [port, port + 1] as const;
  await expect(freePorts(1, ...again)).rejects.toThrow("no 1 free ports");
  const code = `await (await import(${JSON.stringify(join(import.meta.dir, "free-ports.ts"))})).freePorts(1, ${again})`;
  const other = Bun.spawnSync([process.execPath, "-e", code]);
  expect([other.exitCode, other.stderr.toString()]).toEqual([1, expect.stringContaining("no 1 free ports")]);
});
