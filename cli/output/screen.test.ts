// The screen's place on the terminal: what it erases is its own.

import { expect, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import { createScreen } from "./screen.ts";
import { createStyle } from "./style.ts";

test("a program that was stopped and goes on draws anew, at the size of now, and erases nothing of what stands there by then", async () => {
  const written: string[] = [];
  const sink = { ready: true, line() {}, raw: (text: string) => void written.push(text), flush: async () => {} };
  let sizeAsked = 0;
  const onResize = () => void sizeAsked++;
  process.on("SIGWINCH", onResize);
  const screen = createScreen({
    ...{ sink, style: createStyle(false), specs: [], title: "digit-link", hint: "Ctrl-C stops", stoppingHint: "" },
    typed: () => "",
    size: () => ({ columns: 80, rows: 24 }),
  });
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
