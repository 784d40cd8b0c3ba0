// Preloaded into a server under test: while the file `on` stands in the folder TEST_CANARIES, files and sockets are opened there again and
// again, and whoever else closes or takes one of their descriptors is noticed. What was noticed stands in `report`.

import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { createPair } from "../../src/lib/descriptor.ts";
import type { CanaryReport } from "./canaries.ts";

interface Canary {
  fd: number;
  /** Device and inode: nothing else that is open has both. */
  identity: string;
  /** What stands in it, for a file. */
  text: string | null;
}

const folder = process.env["TEST_CANARIES"] ?? "";
const report: CanaryReport = { rounds: 0, opened: 0, hits: [], resting: true };
/** These stay open from beginning to end; the others for one round of a few milliseconds. */
let old: Canary[] = [];
let young: Canary[] = [];

if (Bun.isMainThread && folder !== "") setInterval(round, 3).unref();

function round(): void {
  const isOn = existsSync(join(folder, "on"));
  if (!isOn && report.resting) return;
  for (const canary of young) letGo(canary);
  young = [];
  for (const canary of old) if (!isWell(canary)) report.hits.push(`old ${canary.fd}`);
  if (isOn) {
    if (report.resting) old = Array.from({ length: 20 }, (_, i) => openFile(`old-${i}`));
    young = Array.from({ length: 16 }, (_, i) => openFile(`young-${i}`));
    for (let i = 0; i < 4; i++) young.push(...(createPair() ?? []).map((fd) => describe(fd, null)));
  } else {
    for (const canary of old) letGo(canary);
    old = [];
  }
  report.resting = !isOn;
  report.rounds++;
  report.opened += young.length;
  if (report.rounds % 50 === 0 || report.resting) tell();
}

/** A file that only its descriptor leads to. */
function openFile(name: string): Canary {
  const path = join(folder, name);
  const fd = openSync(path, "w+");
  rmSync(path);
  const text = `${name} ${report.rounds}`;
  writeSync(fd, text);
  return describe(fd, text);
}

function describe(fd: number, text: string | null): Canary {
  return { fd, identity: identityOf(fd), text };
}

function isWell({ fd, identity, text }: Canary): boolean {
  if (identityOf(fd) !== identity) return false;
  if (text === null) return true;
  const bytes = Buffer.alloc(64);
  return bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, 0)) === text;
}

/** What is somebody else's by now must not be closed. */
function letGo(canary: Canary): void {
  if (isWell(canary)) closeSync(canary.fd);
  else report.hits.push(`${canary.text ?? "socket"} ${canary.fd}`);
}

function identityOf(fd: number): string {
  try {
    const { dev, ino } = fstatSync(fd);
    return `${dev}:${ino}`;
  } catch {
    // Closed by somebody: what the canaries are there to notice.
    return "";
  }
}

function tell(): void {
  const path = join(folder, "report");
  writeFileSync(`${path}.new`, JSON.stringify({ ...report, hits: report.hits.slice(0, 20) }));
  renameSync(`${path}.new`, path);
}
