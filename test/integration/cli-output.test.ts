// The agent's process from outside, with scripted events: output per mode, signals, exit codes, readers that are slow or gone.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentEvent } from "../../cli/agent/types.ts";
import { eventually } from "../helpers/eventually.ts";
import type { AgentScript } from "../helpers/scripted-agent.ts";
import { onTerminal as talkOnTerminal } from "../helpers/terminal.ts";

const program = join(import.meta.dir, "../../cli/main.ts");
const preload = join(import.meta.dir, "../helpers/scripted-agent-preload.ts");
const folder = mkdtempSync(join(tmpdir(), "digit-link-output-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const time = "2026-11-23T03:33:43.123Z";
const url = "https://myapp.example.com";
const local = "localhost:3000";
const ready: AgentEvent = { event: "tunnel.ready", time, url, subdomain: "myapp", tunnelId: "t", local, port: null };
const refused: AgentEvent = {
  ...{ event: "refused", time, url: null, subdomain: "myapp", local },
  ...{ code: "name_taken", message: "This name belongs to somebody else." },
};
const request = (path: string, error: string | null = null): AgentEvent => ({
  event: "request",
  time,
  url,
  method: "GET",
  path,
  status: error === null ? 200 : 502,
  durationMs: 12,
  bytesIn: 1,
  bytesOut: 2,
  error,
  cancelled: false,
});

/** Events without delays between them. */
const play = (events: AgentEvent[], rest: Partial<AgentScript> = {}): AgentScript => ({
  events: events.map((event) => ({ afterMs: 0, event })),
  ...rest,
});
const environment = (script: AgentScript, extra: Record<string, string> = {}): Record<string, string> => ({
  PATH: process.env.PATH ?? "",
  HOME: folder,
  TZ: "UTC",
  DIGIT_LINK_SERVER: "https://tunnel.example.com",
  DIGIT_LINK_TOKEN: "dlt_planted",
  DIGIT_LINK_SCRIPT: JSON.stringify(script),
  ...extra,
});

function start(argv: string[], script: AgentScript, extra: Record<string, string> = {}, by: string[] = []) {
  const command = [...by, process.execPath, "--preload", preload, program, ...argv];
  const child = Bun.spawn(command, { env: environment(script, extra), stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const read = async (): Promise<string> => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said += text;
    return said;
  };
  return { child, problems: read(), said: () => said };
}

async function finish(argv: string[], script: AgentScript, extra: Record<string, string> = {}) {
  const { child, problems } = start(argv, script, extra);
  const [out, exitCode] = await Promise.all([child.stdout.text(), child.exited]);
  return { out, problems: await problems, exitCode };
}

/** Reads standard output until `text` came. */
async function readUntil(stream: ReadableStream<Uint8Array>, text: string): Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let read = "";
  while (!read.includes(text)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`"${text}" never came, only: ${read}`);
    read += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
  return read;
}

/** Runs on a pseudo-terminal and types `typed` when `wait` is on the screen. */
const onTerminal = (
  argv: string[],
  script: AgentScript,
  steps: readonly (readonly [wait: string, typed: string])[],
  extra: Record<string, string> = {},
) => talkOnTerminal([process.execPath, "--preload", preload, program, ...argv], steps, environment(script, extra));

describe("output", () => {
  test("without a terminal: plain lines", async () => {
    const { out, problems, exitCode } = await finish(
      ["3000"],
      play([ready, request("/a")], { end: { reason: "stopped" } }),
    );
    expect({ problems, exitCode }).toEqual({ problems: "", exitCode: 0 });
    expect(out).toBe(
      `2026-11-23T03:33:43Z online   ${url} -> ${local}\n2026-11-23T03:33:43Z request  200 GET ${url}/a 12 ms\n`,
    );
  });

  test("--json: exactly the events", async () => {
    const events = [ready, request("/\u001b[31m\u009b\n"), refused];
    const { out, problems, exitCode } = await finish(
      ["3000", "--json"],
      play(events, { end: { reason: "refused", code: "name_taken", message: "…" } }),
    );
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(events);
    expect({ problems, exitCode }).toEqual({
      problems: "digit-link: This name belongs to somebody else.\n",
      exitCode: 4,
    });
  });

  test("--quiet: only problems, on standard error", async () => {
    const { out, problems } = await finish(
      ["3000", "--quiet"],
      play([ready, request("/a"), request("/b", "connection refused")], { end: { reason: "stopped" } }),
    );
    expect(out).toBe("");
    expect(problems).toBe(`2026-11-23T03:33:43Z request  502 GET ${url}/b 12 ms error: connection refused\n`);
  });

  test("on a terminal: the URL, both states, the request, and what is said at the end", async () => {
    const status: AgentEvent = { event: "local.status", time, local, state: "up", why: null, connectMs: 0.4 };
    const script = play([ready, { event: "session", time, url, open: 2, wanted: 2 }, status, request("/a")]);
    const { screen, exitCode } = await onTerminal(["3000", "-n", "myapp"], script, [["/a", "\u0003"]], {
      NO_COLOR: "1",
    });
    expect(exitCode).toBe(0);
    expect(screen).toContain(`● ${url} → ${local}`);
    expect(screen).toContain("online, 2 connections · local service up, 0.4 ms");
    expect(screen).toMatch(/03:33:43 {2}200 {2}GET {5}\/a +12 ms/);
    expect(screen).toContain("stopped · 1 request · 1 B in, 2 B out");
    expect(screen).not.toContain("\u001b[3");
  });

  test("the agent gets what the flags say", async () => {
    const argv = ["-f", "web:3000", "-f", "api:10.0.0.2:4000", "-c", "4", "--pool", "--host-header", "rewrite"];
    const { problems } = await finish(argv, play([], { end: { reason: "stopped" } }), { DIGIT_LINK_SHOW_OPTIONS: "1" });
    expect(JSON.parse(problems.replace("options ", ""))).toMatchObject({
      server: "https://tunnel.example.com",
      connections: 4,
      pool: true,
      tokenLength: 11,
      tunnels: [
        { protocol: "http", subdomain: "web", localHost: "localhost", localPort: 3000, hostHeader: "rewrite" },
        { protocol: "http", subdomain: "api", localHost: "10.0.0.2", localPort: 4000, hostHeader: "rewrite" },
      ],
    });
  });
});

describe("ending", () => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s stops gracefully with 0", async (signal) => {
    const { child } = start(["3000"], play([ready], { stopMs: 50 }));
    await readUntil(child.stdout, "online");
    child.kill(signal);
    expect(await child.exited).toBe(0);
  });

  test.skipIf(process.platform !== "linux")("SIGHUP leaves alone what nohup started", async () => {
    const { child } = start(["3000"], play([ready]), {}, ["nohup"]);
    await readUntil(child.stdout, "online");
    child.kill("SIGHUP");
    expect(await Promise.race([child.exited, Bun.sleep(300).then(() => "still up")])).toBe("still up");
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test("a second signal exits at once, the same one twice within a moment does not", async () => {
    const { child } = start(["3000"], play([ready], { stopMs: 20_000 }));
    await readUntil(child.stdout, "online");
    child.kill("SIGINT");
    child.kill("SIGINT");
    const early = await Promise.race([child.exited, Bun.sleep(400).then(() => "still stopping")]);
    expect(early).toBe("still stopping");
    // It may have come to the first one only now: then this is one of the same moment.
    await eventually(() => (child.kill("SIGINT"), child.exitCode !== null), "another one ends it");
    expect(await child.exited).toBe(130);
  });

  test.each([
    ["bad_token", 3],
    ["name_in_use", 4],
    ["port_unavailable", 4],
    ["version_unsupported", 5],
    ["something_new", 1],
  ])("refused with %s: one sentence and exit code %d", async (code, exitCode) => {
    const event: AgentEvent = { ...refused, code, message: "No." };
    const end = { reason: "refused", code, message: "No." } as const;
    expect(await finish(["3000"], play([event], { end }))).toEqual({
      out: "",
      problems: "digit-link: No.\n",
      exitCode,
    });
    expect(await finish(["3000"], play([], { end }))).toEqual({ out: "", problems: "digit-link: No.\n", exitCode });
  });

  test("--wait gives up with 6 and the last reason, and not when all is up", async () => {
    const named = { url: null, subdomain: null, local };
    const retry: AgentEvent = { event: "tunnel.retry", time, ...named, inMs: 250, reason: "connection refused" };
    const late = await finish(["3000", "--wait", "1", "--quiet"], play([retry]));
    expect(late.exitCode).toBe(6);
    expect(late.problems).toEndWith("digit-link: Not up after 1 s: connection refused.\n");
    const { child } = start(["3000", "--wait", "1"], play([ready]));
    const ended = await Promise.race([child.exited, Bun.sleep(1500).then(() => "still up")]);
    child.kill();
    expect(ended).toBe("still up");
  });

  test("one of several is refused: the others go on, unless --wait wants all of them", async () => {
    const end = { reason: "refused", code: "name_taken", message: "…" } as const;
    const argv = ["--forward", "web:3000", "--forward", "myapp:3000", "--quiet"];
    const { child, problems, said } = start(argv, play([ready, refused]));
    await eventually(() => said().endsWith("\n"), "it says who was refused");
    expect(await Promise.race([child.exited, Bun.sleep(600).then(() => "still up")])).toBe("still up");
    child.kill("SIGTERM");
    expect(await problems).toBe("digit-link: myapp -> localhost:3000: This name belongs to somebody else.\n");
    const waits = [...argv, "--wait", "60"];
    // Not before the program has its agent in hand, as the real one.
    const inTurn = [ready, refused].map((event) => ({ afterMs: 10, event }));
    const waiting = await finish(waits, { events: inTurn, stopEnd: end });
    expect(waiting.exitCode).toBe(4);
    const afterwards = [ready, { ...ready, url: "https://web.example.com" }, refused];
    const later = start(waits, play(afterwards));
    expect(await Promise.race([later.child.exited, Bun.sleep(600).then(() => "still up")])).toBe("still up");
    later.child.kill();
  });
});

describe("readers", () => {
  test("one that goes away stops the agent", async () => {
    const events = Array.from({ length: 400 }, (_, index) => ({ afterMs: 10, event: request(`/${index}`) }));
    const { child } = start(["3000", "--json"], { events });
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    expect(await child.exited).toBe(0);
  });

  test("a slow one costs request lines, which are counted, and nothing else", async () => {
    // A few thousand lines of 2 KB: more than a pipe and the queue hold together.
    const events = [...Array.from({ length: 4000 }, () => request(`/${"x".repeat(2000)}`)), ready];
    const script = join(folder, "slow.json");
    await Bun.write(script, JSON.stringify(play(events)));
    const slow = Bun.spawn([process.execPath, "--preload", preload, program, "3000", "--json"], {
      env: environment({ events: [] }, { DIGIT_LINK_SCRIPT_FILE: script }),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const text = await readUntil(slow.stdout, "events were left out");
    slow.kill();
    await slow.exited;
    const lines = text.trimEnd().split("\n");
    expect(lines.length).toBeLessThan(4000);
    expect(text).toContain('"event":"tunnel.ready"');
    const dropped = /(\d+) events were left out/.exec(text)?.[1];
    expect(lines.filter((line) => line.includes('"event":"request"')).length + Number(dropped)).toBe(4000);
  });

  test.each(["--pool", "--json", "--quiet"])("a terminal stopped by Ctrl-S holds up nothing, with %s", async (flag) => {
    const script = play([request("/a", "it broke")], { end: { reason: "stopped" } });
    for (let i = 0; i < 50; i++) script.events.push({ afterMs: 20, event: request(`/${i}`, "it broke") });
    const { screen, exitCode } = await onTerminal(["3000", flag], script, [["/a", "\u0013"]]);
    expect(exitCode).toBe(0);
    expect(screen).not.toContain("/49");
  });
});

describe("security", () => {
  test("a token on the command line is warned of once, and no token is ever shown", async () => {
    const { out, problems } = await finish(
      ["3000", "--token", "dlt_typed"],
      play([ready], { end: { reason: "stopped" } }),
    );
    expect(problems.match(/shows in ps/g)).toHaveLength(1);
    expect(out + problems).not.toMatch(/dlt_(typed|planted)/);
  });

  test("a visitor's path cannot forge a line or steer the terminal", async () => {
    const path = "/\r\n2026-11-23T00:00:00Z online forged\u001b[2J\u009b2J";
    const { out } = await finish(["3000"], play([request(path)], { end: { reason: "stopped" } }));
    expect(out.trimEnd().split("\n")).toHaveLength(1);
    for (const control of ["\u001b", "\u009b", "\r"]) expect(out).not.toContain(control);
    const { screen } = await onTerminal(["3000"], play([request(path)]), [["forged", "\u0003"]], { NO_COLOR: "1" });
    expect(screen).toContain("\\u000d\\u000a");
    expect(screen).not.toContain("\u001b[2J");
    expect(screen).not.toContain("\u009b");
  });
});
