// Runs the agent until it is stopped or refused: signals in, output and exit code out.

import { readFileSync } from "node:fs";
import type { AgentEnd, TunnelSpec } from "./agent/types.ts";
import type { FlagTable, Io, Parsed } from "./command.ts";
import { exitCodeOfRefusal, exitCodes } from "./exit-codes.ts";
import { createReporter, type OutputMode, resolveMode } from "./output/reporter.ts";
import { safe } from "./output/safe.ts";
import { createProgress } from "./progress.ts";
import { connectionFlags, resolveConnection } from "./settings.ts";
import type { Inspector } from "./inspector/inspector.ts";
import { UsageError } from "./usage-error.ts";
import { parseCount } from "./values.ts";
import { version } from "./version.ts";

/** Flags of every command that opens tunnels. */
export const exposeFlags = {
  ...connectionFlags,
  connections: { type: "string", short: "c", value: "N", help: "connections per tunnel, 1 to 8 (the server says)" },
  pool: { type: "boolean", help: "share a given name or port with your other agents" },
  wait: { type: "string", value: "SECONDS", help: "give up when not up by then (try for ever)" },
  json: { type: "boolean", help: "one JSON event per line" },
  quiet: { type: "boolean", short: "q", help: "only problems, on standard error" },
} as const satisfies FlagTable;

/** Serves `tunnels` until stopped. Returns the exit code. */
export async function expose(parsed: Parsed, tunnels: TunnelSpec[], io: Io): Promise<number> {
  const connectionsText = parsed.text("connections");
  const connections = connectionsText === undefined ? null : parseCount(connectionsText, "--connections", 1, 8);
  const waitText = parsed.text("wait");
  const waitMs = waitText === undefined ? null : parseCount(waitText, "--wait", 1, 86_400) * 1000;
  if (parsed.on("json") && parsed.on("quiet")) throw new UsageError("--json and --quiet are both given; give one.");
  const inspectText = parsed.text("inspect");
  const inspectPort = inspectText === undefined ? null : parseCount(inspectText, "--inspect", 0, 65_535);
  const connection = await resolveConnection(parsed, io);
  for (const warning of connection.warnings) io.problem(`digit-link: ${io.problemStyle.yellow("warning:")} ${warning}`);
  const inspector = inspectPort === null ? null : await inspect(inspectPort);

  const mode: OutputMode = resolveMode(
    { json: parsed.on("json"), quiet: parsed.on("quiet") },
    process.stdout.isTTY === true,
    io.env.TERM,
  );
  const reporter = createReporter({
    mode,
    specs: tunnels,
    title: `${io.style.bold("digit-link")} ${io.style.dim(`${version} · ${safe(connection.server)}`)}`,
    env: io.env,
    onClosed: () => stop(),
  });
  const progress = createProgress(tunnels);
  const { startAgent } = await import("./agent/agent.ts");
  const agent = startAgent({
    server: connection.server,
    token: connection.token,
    tunnels,
    connections,
    pool: parsed.on("pool"),
    version,
    requests: !parsed.on("quiet"),
    ...(inspector === null ? {} : { recorder: inspector.recorder }),
    onEvent(event) {
      progress.event(event);
      reporter.event(event);
      // Who waits wants all of them.
      if (event.event === "refused" && waitMs !== null && !progress.allReady()) stop();
    },
  });

  if (inspector !== null)
    reporter.event({ event: "inspector.ready", time: new Date().toISOString(), url: inspector.url });

  let stopping = false;
  let stoppedAtMs = 0;
  function stop(): void {
    if (stopping) return;
    stopping = true;
    stoppedAtMs = performance.now();
    reporter.stopping();
    void agent.stop();
  }
  const onSignal = (): void => {
    // One Ctrl-C under npm or a supervisor arrives twice, from the terminal and handed on.
    if (stopping && performance.now() - stoppedAtMs > 300) process.exit(exitCodes.interrupted.exitCode);
    stop();
  };
  const signals = ["SIGINT", "SIGTERM", ...(outlivesTerminal() ? [] : (["SIGHUP"] as const))] as const;
  for (const signal of signals) process.on(signal, onSignal);
  let late = false;
  const timer = setTimeout(() => {
    late = !progress.allReady() && !stopping;
    if (late) stop();
  }, waitMs ?? 0);
  if (waitMs === null) clearTimeout(timer);

  const end = await agent.done;
  clearTimeout(timer);
  await reporter.close();
  await inspector?.stop();
  for (const signal of signals) process.off(signal, onSignal);
  if (late) {
    io.problem(`digit-link: Not up after ${waitText} s: ${progress.whyNot()}.`);
    return exitCodes.timeout.exitCode;
  }
  return report(end, progress.refusalSeen(), io);
}

/** Loaded when it is asked for: most agents never are. */
async function inspect(port: number): Promise<Inspector> {
  const { startInspector } = await import("./inspector/inspector.ts");
  try {
    return startInspector(port);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Whether SIGHUP was ignored from the start, as by nohup: a handler of ours would undo that. Only Linux tells. */
function outlivesTerminal(): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
    return (BigInt(`0x${ignored}`) & 1n) === 1n;
  } catch {
    return false;
  }
}

function report(end: AgentEnd, alreadySaid: boolean, io: Io): number {
  if (end.reason === "stopped") return exitCodes.ok.exitCode;
  if (!alreadySaid) io.problem(`digit-link: ${safe(end.message)}`);
  return exitCodeOfRefusal(end.code);
}
