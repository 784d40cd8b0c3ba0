// What the server logs as: lines for people on a terminal, JSON anywhere else, and what LOG_FORMAT and NO_COLOR change.

import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program } from "../helpers/program.ts";
import { testEnv } from "../helpers/server.ts";

setDefaultTimeout(20_000);

const folder = mkdtempSync(join(tmpdir(), "digit-link-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let servers = 0;

/** What a server writes from its start to its end (an escape is `ESC`), which a signal brings as soon as it is up. */
async function logOf(on: "terminal" | "pipe", env: Record<string, string> = {}, typed = ""): Promise<string[]> {
  let written = "";
  let isUp = false;
  const hear = (text: string): void => {
    written += text;
    if (isUp || !written.includes("is up")) return;
    isUp = true;
    if (typed === "") return void child.kill("SIGTERM");
    child.terminal?.write(typed);
    // Nothing tells when the terminal has taken it.
    setTimeout(() => child.kill("SIGTERM"), 100);
  };
  const options = {
    cwd: folder,
    env: {
      PATH: process.env["PATH"] ?? "",
      TERM: "xterm",
      ...testEnv(folder, { DB_PATH: join(folder, `${servers++}.db`), ...env }),
    },
  };
  const command = [process.execPath, await program("src/main.ts")];
  const child =
    on === "terminal"
      ? Bun.spawn(command, {
          ...options,
          terminal: { cols: 500, rows: 24, data: (_terminal, data) => hear(new TextDecoder().decode(data)) },
        })
      : Bun.spawn(command, { ...options, stdio: ["ignore", "ignore", "pipe"] });
  if (child.stderr instanceof ReadableStream)
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) hear(text);
  expect(await child.exited).toBe(0);
  child.terminal?.close();
  return written.trimEnd().replaceAll("\u001b", "ESC").split(/\r?\n/);
}

const plain = /^\d\d:\d\d:\d\d (info|warn)  \S((?!ESC).)*$/;

test("on a terminal: coloured lines, without any setting", async () => {
  const lines = await logOf("terminal");
  for (const line of lines) expect(line).toMatch(/^\d\d:\d\d:\d\d ESC\[3[36]m(info |warn )ESC\[0m \S/);
  const up = lines.find((line) => line.includes("digit-link is up"));
  expect(up).toMatch(/is upESC\[2m url=http:\/\/localhost:\d+ tunnels=http:\/\/<name>\.localhost:\d+ .*ESC\[0m$/);
});

test("a terminal stopped by Ctrl-S does not stop the server", async () => {
  const lines = await logOf("terminal", {}, "\u0013");
  expect(lines.join()).not.toContain("stopping");
});

test("on a terminal with NO_COLOR: the same without colours", async () => {
  for (const line of await logOf("terminal", { NO_COLOR: "1" })) expect(line).toMatch(plain);
});

test("elsewhere: JSON, without any setting", async () => {
  const messages = (await logOf("pipe")).map((line) => (JSON.parse(line) as { message: string }).message);
  expect(messages).toContain("digit-link is up");
  expect(messages.at(-1)).toBe("stopped");
});

test("LOG_FORMAT says otherwise: JSON on a terminal, lines without colours in a file", async () => {
  for (const line of await logOf("terminal", { LOG_FORMAT: "json" })) expect(JSON.parse(line)).toHaveProperty("level");
  for (const line of await logOf("pipe", { LOG_FORMAT: "text" })) expect(line).toMatch(plain);
});
