// The live screen of an agent on a real terminal, where somebody types.

import { expect, test } from "bun:test";
import { join } from "node:path";
import type { AgentEvent } from "../../cli/agent/types.ts";
import type { AgentScript } from "../helpers/scripted-agent.ts";
import { onTerminal } from "../helpers/terminal.ts";

const program = join(import.meta.dir, "../../cli/main.ts");
const preload = join(import.meta.dir, "../helpers/scripted-agent-preload.ts");

const request = (path: string): AgentEvent => ({
  ...{ event: "request", time: "2026-11-23T03:33:43.123Z", url: "https://myapp.example.com", method: "GET", path },
  ...{ status: 200, durationMs: 12, bytesIn: 1, bytesOut: 2, error: null, cancelled: false },
});

test("what is typed there, Enter say, moves the block down: it is drawn where it was, and leaves no copy", async () => {
  const script: AgentScript = { events: [1, 2, 3].map((at) => ({ afterMs: 500, event: request(`/${at}`) })) };
  const env = {
    ...{ PATH: process.env.PATH ?? "", HOME: "/nonexistent", NO_COLOR: "1" },
    ...{ DIGIT_LINK_SERVER: "https://tunnel.example.com", DIGIT_LINK_TOKEN: "dlt_planted" },
    DIGIT_LINK_SCRIPT: JSON.stringify(script),
  };
  // Echoed, these are four rows: a line that is wider than the terminal has two.
  const typed = `\n\n${"x".repeat(100)}\n`;
  const steps = [
    ["/1", typed],
    ["/3", "\u0003"],
  ] as const;
  const { screen, exitCode } = await onTerminal([process.execPath, "--preload", preload, program, "3000"], steps, env);
  expect(exitCode).toBe(0);
  const ups = [...screen.matchAll(/\[(\d+)A/g)].map(([, rows]) => Number(rows));
  const block = Math.min(...ups);
  expect(ups.reduce((more, rows) => more + rows - block, 0)).toBe(4);
});
