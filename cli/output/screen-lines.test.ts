// Lines on a terminal that is narrower than they would like.

import { expect, test } from "bun:test";
import type { AgentEvent } from "../agent/types.ts";
import { isProblem, plainLine } from "./plain.ts";
import { foldedLine, statusBlock } from "./screen-lines.ts";
import { createStyle } from "./style.ts";
import { applyEvent, createView } from "./tunnel-view.ts";

const plain = createStyle(false);
const time = "2026-11-23T03:33:43.123Z";
const local = "http://localhost:3000";
const down: AgentEvent = {
  ...{ event: "local.status", time, local, state: "down" },
  ...{ why: "connection refused: nothing listens there", connectMs: null },
};
const request = (path: string, error: string | null): AgentEvent => ({
  ...{ event: "request", time, url: "https://myapp.example.com", method: "GET", path, status: 200 },
  ...{ durationMs: 1234, bytesIn: 1, bytesOut: 2, error, cancelled: false },
});
const lines = (event: AgentEvent, columns: number): string[] => foldedLine(event, plain, columns, false);

test("what doesn't fit into a line breaks between words", () => {
  expect(lines(down, 80).map((line) => line.replace(/\d\d:\d\d:\d\d/, "TIME"))).toEqual([
    "  TIME  local service down  http://localhost:3000  connection refused:",
    "    nothing listens there",
  ]);
  for (const columns of [30, 40, 60])
    for (const line of lines(down, columns)) expect(Bun.stringWidth(line)).toBeLessThan(columns);
});

test("a time is whole or left out: half of one reads like another", () => {
  for (const columns of [20, 30, 36, 40, 44, 50, 60, 80])
    for (const error of [null, "connection refused: nothing listens there"])
      for (const path of ["/", "/some/longer/path"]) {
        const all = lines(request(path, error), columns);
        expect(all).toHaveLength(1);
        expect(Bun.stringWidth(all[0] ?? "")).toBeLessThan(columns);
        const what = all[0]?.replace(/^ +\d\d:\d\d:\d\d/, "") ?? "";
        expect([columns, what]).toEqual([columns, expect.stringMatching(/^(?!.* 1[.…])|1\.2 s$/)]);
      }
  expect(lines(request("/", null), 44)[0]).toEndWith("1.2 s");
});

test("where the inspector is stays in sight, in the room that the block has; without a terminal it is a line, also of --quiet", () => {
  const ready: AgentEvent = { event: "inspector.ready", time, url: "http://127.0.0.1:4040/#key" };
  const spec = {
    ...{ protocol: "http" as const, localHost: "localhost", localPort: 3000, localHttps: false },
    ...{ insecureLocal: false, hostHeader: "preserve" },
  };
  const view = createView(Array.from({ length: 20 }, (_, i) => ({ ...spec, subdomain: `n${i}` })));
  applyEvent(view, ready, 0);
  const block = statusBlock(view, plain, 80, 24, 0, "hint");
  expect(block).toContain("  inspector  http://127.0.0.1:4040/#key");
  expect(block.length).toBeLessThanOrEqual(18);
  expect(foldedLine(ready, plain, 80, false)).toEqual([]);
  expect(plainLine(ready)).toBe("2026-11-23T03:33:43Z inspect  requests are shown at http://127.0.0.1:4040/#key");
  expect(isProblem(ready)).toBe(true);
});
