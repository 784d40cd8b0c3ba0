// The screen's place on the terminal: what it erases is its own.

import { expect, spyOn, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import type { TunnelSpec } from "../agent/types.ts";
import { createScreen } from "./screen.ts";
import { createStyle } from "./style.ts";

const spec: TunnelSpec = {
  ...{ protocol: "http", subdomain: "myapp", localHost: "localhost", localPort: 3000 },
  ...{ localHttps: false, insecureLocal: false, hostHeader: "preserve" },
};

function startScreen(specs: TunnelSpec[]) {
  const written: string[] = [];
  const sink = { ready: true, line() {}, raw: (text: string) => void written.push(text), flush: async () => {} };
  const screen = createScreen({
    ...{ sink, style: createStyle(false), specs, title: "digit-link", hint: "Ctrl-C stops", stoppingHint: "" },
    typed: () => "",
    size: () => ({ columns: 120, rows: 24 }),
  });
  return { screen, written };
}

test("the age of what is known is told while nothing happens", async () => {
  const clock = spyOn(Date, "now");
  const { screen, written } = startScreen([spec]);
  try {
    const local = "http://localhost:3000";
    const up = { event: "local.status", local, state: "up", why: null, connectMs: 1 } as const;
    screen.event({ ...up, time: new Date().toISOString() });
    await eventually(() => written.join("").includes("answered just now"), "it is drawn");
    const before = Date.now();
    clock.mockImplementation(() => before + 180_000);
    await eventually(() => written.join("").includes("answered 3 min ago"), "it is drawn anew", 20_000);
  } finally {
    await screen.close();
    clock.mockRestore();
  }
});

test("a program that was stopped and goes on draws anew, at the size of now, and erases nothing of what stands there by then", async () => {
  let sizeAsked = 0;
  const onResize = () => void sizeAsked++;
  process.on("SIGWINCH", onResize);
  const { screen, written } = startScreen([]);
  try {
    expect(written.splice(0).join("")).toContain("no connections yet");
    screen.event({ event: "notice", time: "2026-11-23T03:33:43.123Z", message: "hello" });
    process.kill(process.pid, "SIGCONT");
    // While it was stopped the time of the next frame has come.
    Bun.sleepSync(100);
    await eventually(() => written.length > 0, "it is drawn again");
    expect(written.join("")).toContain("no connections yet");
    expect(written.join("")).not.toContain("\u001b[J");
    expect(sizeAsked).toBe(1);
  } finally {
    await screen.close();
    process.off("SIGWINCH", onResize);
  }
});
