// One whole benchmark: everybody up, all rows, everybody down. Used by `bun run bench` and by the soak.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { measureControlPlane } from "./control-plane.ts";
import { measureIdleSessions } from "./idle-sessions.ts";
import { unlessAborted } from "./interruption.ts";
import { processTree, residentBytes } from "./measure/proc.ts";
import type { BenchOptions } from "./options.ts";
import { allParties } from "./parties/all.ts";
import type { PartyContext } from "./parties/party.ts";
import { startPoolFront } from "./pool-front.ts";
import { freePort, waitForAnswer } from "./ports.ts";
import { ensurePrograms } from "./prerequisites.ts";
import { createProcessGroup, type ProcessGroup } from "./process-group.ts";
import type { BenchReport, MemoryFigures } from "./report.ts";
import { type Contestant, runRow } from "./rotate.ts";
import { allRows, idleRowId, isWanted, loginsRowId, policyRowId } from "./rows.ts";

/**
 * Runs the benchmark and returns its report; `say` gets progress lines. When it settles, also after `signal` or an
 * error, every program it started is gone and its temporary directory with it.
 */
export async function runBench(
  options: BenchOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<BenchReport> {
  checkNames(options);
  await ensurePrograms(say);
  const directory = await mkdtemp(join(tmpdir(), "digit-link-bench-"));
  await mkdir(join(directory, "front"));
  const processes = createProcessGroup(directory);
  try {
    const startedAt = new Date();
    const [loadBefore] = loadavg();
    const servicePort = freePort();
    const service = processes.start("local-service", [
      process.execPath,
      join(import.meta.dir, "local-service.ts"),
      String(servicePort),
    ]);
    await waitForAnswer({ address: "127.0.0.1", port: servicePort, hostHeaders: ["localhost"] }, [service]);
    if (options.awake) for (const [core] of cpus().entries()) keepAwake(core, processes);

    const context = { servicePort, processes };
    const { contestants, parties } = await startParties(context, options, say, signal);
    const idle = new Map(contestants.map((contestant) => [contestant.party.name, memoryOf(contestant)]));
    const rows = allRows.filter((row) => isWanted(row.id, options));
    if (rows.some((row) => row.throughFront === true)) await startPoolFront(contestants, processes);

    const report: BenchReport = {
      startedAt: startedAt.toISOString(),
      durationMs: 0,
      machine: { ...machine(), loadBefore: loadBefore ?? 0, loadAfter: 0 },
      options,
      parties,
      rows: {},
      memory: {},
      idleSessions: null,
      controlPlane: null,
    };
    for (const row of rows) {
      say(`${row.id}: ${row.title}`);
      report.rows[row.id] = await runRow(row, contestants, options, signal, say);
    }
    for (const contestant of contestants) {
      const start = idle.get(contestant.party.name);
      if (start !== undefined) report.memory[contestant.party.name] = memoryFigures(start, memoryOf(contestant));
    }
    const judged = contestants.some(({ party }) => party.kind === "ours");
    for (const { running } of contestants) await running.stop();
    if (judged && isWanted(idleRowId, options)) {
      say(`${idleRowId}: memory of ${options.idleSessions} idle sessions`);
      report.idleSessions = await measureIdleSessions(context, options.idleSessions, say, signal);
    }
    const [policy, logins] = [isWanted(policyRowId, options), isWanted(loginsRowId, options)];
    if (judged && (policy || logins)) {
      say(`${policyRowId}, ${loginsRowId}: visitors with credentials, and a tunnel during a storm of logins`);
      const { seconds, rounds } = options;
      report.controlPlane = await measureControlPlane(context, { seconds, rounds, policy, logins, signal, say });
    }
    report.machine.loadAfter = loadavg()[0] ?? 0;
    report.durationMs = Date.now() - startedAt.getTime();
    return report;
  } finally {
    await processes.stopAll();
    await rm(directory, { recursive: true, force: true });
  }
}

/** A loop that runs when nothing else wants to: the processor never sleeps, and the kernel sees that it has work beside the waker's. */
function keepAwake(core: number, processes: ProcessGroup): void {
  const loop = ["chrt", "-i", "0", "taskset", "-c", String(core), "sh", "-c", "while :; do :; done"];
  processes.start(`awake-${core}`, loop);
}

/** A misspelt name would otherwise measure nothing and say nothing. */
function checkNames(options: BenchOptions): void {
  const rowIds = [...allRows.map((row) => row.id), idleRowId, policyRowId, loginsRowId];
  const unknownRow = options.rows.find((wanted) => !rowIds.some((id) => isWanted(id, { rows: [wanted] })));
  if (unknownRow !== undefined) throw new Error(`There is no row "${unknownRow}". Rows: ${rowIds.join(", ")}.`);
  const names = allParties.map((party) => party.name);
  const unknownParty = options.parties.find((wanted) => !names.includes(wanted));
  if (unknownParty !== undefined) {
    throw new Error(`There is no party "${unknownParty}". Parties: ${names.join(", ")}.`);
  }
}

/** Starts who was asked for and can start; the others are listed with the reason why not. */
async function startParties(
  context: PartyContext,
  options: BenchOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<{ contestants: Contestant[]; parties: BenchReport["parties"] }> {
  const contestants: Contestant[] = [];
  const parties: BenchReport["parties"] = [];
  for (const party of allParties) {
    if (options.parties.length > 0 && !options.parties.includes(party.name)) continue;
    if (party.onlyRows?.some((row) => isWanted(row, options)) === false) continue;
    signal.throwIfAborted();
    let leftOut = party.unavailable();
    if (leftOut === null) {
      try {
        contestants.push({ party, running: await unlessAborted(party.start(context), signal), frontEndpoint: null });
      } catch (error) {
        signal.throwIfAborted();
        leftOut = error instanceof Error ? error.message : String(error);
      }
    }
    say(leftOut === null ? `${party.name}: up (${party.about})` : `${party.name}: left out, ${leftOut}`);
    parties.push({ name: party.name, kind: party.kind, about: party.about, leftOut });
  }
  return { contestants, parties };
}

type Resident = Record<"server" | "agent", { now: number; peak: number }>;

function memoryOf({ running: { pids } }: Contestant): Resident {
  return { server: residentBytes(processTree(pids.server)), agent: residentBytes(processTree(pids.agent)) };
}

function memoryFigures(idle: Resident, end: Resident): MemoryFigures {
  return {
    serverIdleBytes: idle.server.now,
    agentIdleBytes: idle.agent.now,
    serverPeakBytes: end.server.peak,
    agentPeakBytes: end.agent.peak,
  };
}

function machine(): { cpu: string; cores: number; memoryBytes: number; kernel: string; bun: string } {
  const list = cpus();
  return {
    cpu: list[0]?.model.trim() ?? "unknown",
    cores: list.length,
    memoryBytes: totalmem(),
    kernel: release(),
    bun: Bun.version,
  };
}
