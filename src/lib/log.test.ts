// The log's two formats, its levels, and that text from outside forges neither lines nor colours.

import { describe, expect, setSystemTime, test } from "bun:test";
import { createLogger } from "./log.ts";

function logging(options: { format: "json" | "text"; color?: boolean; level?: "debug" | "warn" }) {
  const lines: string[] = [];
  const log = createLogger({ level: "debug", ...options, write: (line) => void lines.push(line) });
  return { log, lines };
}

const clock = /^\d\d:\d\d:\d\d /;

test("text: time of day, level in a column, message, fields as they read best", () => {
  const { log, lines } = logging({ format: "text" });
  log.info("digit-link is up", { url: "http://localhost:8080", shards: 2, tls: false, none: null, left: undefined });
  log.warn("odd", { why: 'it "said" so', equation: "a=b", empty: "" });
  for (const line of lines) expect(line).toMatch(clock);
  expect(lines.map((line) => line.replace(clock, ""))).toEqual([
    "info  digit-link is up url=http://localhost:8080 shards=2 tls=false none=null",
    'warn  odd why="it \\"said\\" so" equation="a=b" empty=',
  ]);
});

test("text: the time is that of the reader's clock", () => {
  const { TZ } = process.env;
  try {
    process.env.TZ = "Asia/Kolkata";
    setSystemTime(new Date("2026-11-30T20:01:02Z"));
    const { log, lines } = logging({ format: "text" });
    log.info("a");
    expect(lines).toEqual(["01:31:02 info  a"]);
  } finally {
    setSystemTime();
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
  }
});

test("text with colours: the level has one of its own, the fields step back", () => {
  const { log, lines } = logging({ format: "text", color: true });
  log.debug("a");
  log.info("b");
  log.warn("c", { n: 1 });
  log.error("d");
  expect(lines.map((line) => line.replace(clock, ""))).toEqual([
    "\u001b[2mdebug\u001b[0m a",
    "\u001b[36minfo \u001b[0m b",
    "\u001b[33mwarn \u001b[0m c\u001b[2m n=1\u001b[0m",
    "\u001b[31merror\u001b[0m d",
  ]);
});

test("json: a line that parses, with the time in full", () => {
  const { log, lines } = logging({ format: "json" });
  log.error("it broke", { shard: 1, why: "no reason", gone: undefined });
  expect(JSON.parse(lines[0]!)).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    ...{ level: "error", message: "it broke", shard: 1, why: "no reason" },
  });
});

test("what is below the level is not written", () => {
  const { log, lines } = logging({ format: "text", level: "warn" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  expect(lines.map((line) => line.replace(clock, ""))).toEqual(["warn  c", "error d"]);
});

describe("security", () => {
  const forged = 'x\n12:00:00 info  forged\r\u001b[2J\u009b31m\u2028" ok="1';
  test.each(["json", "text"] as const)("text from outside stays on its line and steers no terminal (%s)", (format) => {
    const { log, lines } = logging({ format });
    log.info(forged, { why: forged });
    expect(lines).toHaveLength(1);
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    if (format === "json")
      expect(Object.keys(JSON.parse(lines[0]!) as object)).toEqual(["time", "level", "message", "why"]);
    // A field's value can't end its quotes and begin another field.
    else expect(lines[0]!.split(" why=")[1]).toMatch(/^"([^"\\]|\\.)*"$/);
  });
});
