// Where the id of a machine's user is kept.

import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { machineId } from "./identity.ts";

test("a relative XDG_CONFIG_HOME doesn't count: an agent would be another one in each folder it is started in", () => {
  const home = mkdtempSync(join(tmpdir(), "digit-link-"));
  try {
    const id = machineId({ XDG_CONFIG_HOME: "relative-config", HOME: home });
    expect(existsSync("relative-config")).toBe(false);
    expect(machineId({ HOME: home })).toBe(id);
    expect(existsSync(join(home, ".config", "digit-link", "agent-id"))).toBe(true);
  } finally {
    rmSync(home, { recursive: true, force: true });
    rmSync("relative-config", { recursive: true, force: true });
  }
});
