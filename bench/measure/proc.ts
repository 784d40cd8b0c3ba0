// Reads what Linux knows of running processes: their children, resident memory and CPU time.

import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ: fixed at 100 in the kernel's interface to programs. */
const microsPerTick = 10_000;

interface Stat {
  parent: number;
  cpuMicros: number;
}

/** The given processes and all their living descendants. */
export function processTree(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const stat = readStat(pid);
    if (stat === null) continue;
    const siblings = children.get(stat.parent);
    if (siblings === undefined) children.set(stat.parent, [pid]);
    else siblings.push(pid);
  }
  const found = new Set<number>(roots);
  for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child);
  return [...found];
}

/** CPU time (user and system, all threads) that these processes have used so far. */
export function cpuMicros(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (readStat(pid)?.cpuMicros ?? 0), 0);
}

/** Resident memory now and at its highest, summed over the processes. */
export function residentBytes(pids: readonly number[]): { now: number; peak: number } {
  const total = { now: 0, peak: 0 };
  for (const pid of pids) {
    const status = read(`/proc/${pid}/status`);
    if (status === null) continue;
    total.now += kilobytes(status, "VmRSS") * 1024;
    total.peak += kilobytes(status, "VmHWM") * 1024;
  }
  return total;
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}

function readStat(pid: number): Stat | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The command may hold spaces and parentheses; fields are counted from its last ")".
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(fields[1]), cpuMicros: (Number(fields[11]) + Number(fields[12])) * microsPerTick };
}

/** A process that ends meanwhile has no file any more, or answers ESRCH: that is not an error here. */
function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
