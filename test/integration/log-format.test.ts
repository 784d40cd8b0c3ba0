// What the server logs as: lines for people on a terminal, JSON anywhere else, and what LOG_FORMAT and NO_COLOR change.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dlopen } from "bun:ffi";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectDescriptor } from "../../src/handover/adopt.ts";
import { closeDescriptor, createPair } from "../../src/lib/descriptor.ts";
import { program } from "../helpers/program.ts";
import { eventually } from "../helpers/eventually.ts";
import { testEnv } from "../helpers/server.ts";

setDefaultTimeout(20_000);

const folder = mkdtempSync(join(tmpdir(), "digit-link-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let servers = 0;

/** As Ctrl-S does, of which nothing would tell when the terminal has taken it. */
function stopTerminal(pid: number): void {
  const terminal = openSync(`/proc/${pid}/fd/2`, constants.O_WRONLY | constants.O_NOCTTY);
  const { symbols, close } = dlopen("libc.so.6", { tcflow: { args: ["i32", "i32"], returns: "i32" } });
  expect(symbols.tcflow(terminal, 0 /* TCOOFF */)).toBe(0);
  close();
  closeSync(terminal);
}

/** What a server writes from its start to its end (an escape is `ESC`), which a signal brings as soon as it is up. */
async function logOf(on: "terminal" | "pipe", env: Record<string, string> = {}, isStopped = false): Promise<string[]> {
  let written = "";
  let isUp = false;
  const hear = (text: string): void => {
    written += text;
    if (isUp || !written.includes("is up")) return;
    isUp = true;
    if (isStopped) stopTerminal(child.pid);
    child.kill("SIGTERM");
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
  const lines = await logOf("terminal", {}, true);
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

describe("whoever takes the log", () => {
  /** Logs four megabytes at once, and says so; logs on from the first word that it is told until there is no more, and says how often. */
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, "../../src/lib/log.ts"))};
    const log = createLogger({ level: "info", format: "json" });
    for (let i = 0; i < 4_000; i++) log.info("x".repeat(1_000));
    process.stdout.write("written");
    const told = Bun.stdin.stream().getReader();
    await told.read();
    let isOver = false;
    void told.read().then(() => (isOver = true));
    let later = 0;
    for (; later < 20 || !isOver; later++, await Bun.sleep(10)) log.info("later");
    process.stdout.write(\`alive \${later}\`);
  `;
  const said = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, text: string): Promise<string> => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) if (part.includes(text)) return part;
    throw new Error(`it never said ${text}`);
  };

  /** It has written to a socket, as systemd's journal gives, of which nobody has read anything. */
  async function unread() {
    const [ours, its] = createPair()!;
    const child = Bun.spawn([process.execPath, "-e", script], { stdio: ["pipe", "pipe", its] });
    closeDescriptor(its);
    const [first, second] = child.stdout.tee();
    await said(first, "written");
    /** Its exit code, and how many lines it has logged when `isEnough`. */
    const goesOn = async (isEnough = () => true): Promise<[number, number]> => {
      void child.stdin.write("on");
      void child.stdin.flush();
      await eventually(isEnough, "it has logged enough");
      void child.stdin.end();
      const [, later] = /alive (\d+)/.exec(await said(second, "alive"))!;
      return [await child.exited, 4_000 + Number(later)];
    };
    return { ours, goesOn };
  }

  test("may rest: a mebibyte waits for it, and what was left out is counted", async () => {
    const { ours, goesOn } = await unread();
    let log = "";
    const data = (_: unknown, chunk: Buffer) => void (log += chunk.toString());
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    await connectDescriptor({ fd: ours, data: null, socket: { data, close: () => close(), error() {} } });
    // It says what was left out with the first line behind what was taken.
    const [exitCode, logged] = await goesOn(() => log.includes("left out"));
    expect(exitCode).toBe(0);
    await closed;
    const lines = log.trimEnd().split("\n");
    const told = lines.map((line) => JSON.parse(line) as { message: string; lines?: number });
    expect(log.length).toBeLessThan(1_500_000);
    const gaps = told.filter(({ message }) => message === "nobody took the log: lines were left out");
    expect(gaps.map((gap) => gap.lines)).toEqual([logged + 1 - lines.length]);
  });

  test("may go, with lines that wait for it: that ends the log, not the server", async () => {
    const { ours, goesOn } = await unread();
    closeDescriptor(ours);
    expect((await goesOn())[0]).toBe(0);
  });
});
