// `bun run soak [--only NAME,…] [--scale 0.1] [--minutes 1] [--json FILE]`: the long and large runs, one after the other.

import { parseArgs } from "node:util";
import { scenarios } from "../test/soak/all.ts";
import type { Fact } from "../test/soak/scenario.ts";

const usage = `Usage: bun run soak [options]

Runs the long and large scenarios one after the other, and prints what each found; the exit code is 1 when one of them failed.

  --list            name the scenarios
  --only NAME,…     run these
  --scale 0.1       with counts that are smaller by this factor
  --minutes N       as long as this, where a scenario has a length
  --json FILE       where the results go (soak-results.json)`;

const values = readOptions();

const options = {
  scale: Number(values.scale),
  minutes: values.minutes === undefined ? null : Number(values.minutes),
  say: (line: string) => console.error(line),
};

if (values.help === true) {
  console.log(usage);
  process.exit(0);
}
if (values.one !== undefined) {
  const facts = await scenarios.find(({ name }) => name === values.one)!.run(options);
  console.log(JSON.stringify(facts));
  process.exit(0);
}
if (values.list === true) {
  for (const { name, about } of scenarios) console.log(`${name.padEnd(16)} ${about}`);
  process.exit(0);
}
process.exit(await runAll());

function readOptions() {
  try {
    return parseArgs({
      options: {
        only: { type: "string" },
        scale: { type: "string", default: "1" },
        minutes: { type: "string" },
        json: { type: "string", default: "soak-results.json" },
        list: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        /** Internal: runs one scenario in this process and prints its facts as JSON. */
        one: { type: "string" },
      },
    }).values;
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}

async function runAll(): Promise<number> {
  const wanted = values.only?.split(",") ?? scenarios.map(({ name }) => name);
  const unknown = wanted.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    console.error(`There is no scenario ${unknown.join(", ")}; --list names them all.`);
    return 2;
  }
  if (!(options.scale > 0) || (options.minutes !== null && !(options.minutes > 0))) {
    console.error("--scale and --minutes are numbers above 0.");
    return 2;
  }
  const results: { name: string; seconds: number; facts: Fact[]; error: string | null }[] = [];
  for (const { name, about } of scenarios) {
    if (!wanted.includes(name)) continue;
    console.log(`\n${name}: ${about}`);
    const started = performance.now();
    const { facts, error, said } = await runOne(name);
    const seconds = Math.round((performance.now() - started) / 1_000);
    results.push({ name, seconds, facts, error });
    for (const { what, got, want, ok } of facts)
      console.log(`  ${ok ? "ok  " : "FAIL"} ${what.padEnd(44)} ${got.padEnd(16)} ${want ?? ""}`);
    if (error !== null) console.log(`  FAIL it broke off: ${error}`);
    else if (facts.some(({ ok }) => !ok)) console.log(said.trimEnd().replaceAll(/^/gm, "  | "));
    console.log(`  ${seconds} s`);
  }
  const failed = results.filter(({ facts, error }) => error !== null || facts.some(({ ok }) => !ok));
  const report = { finishedAt: new Date().toISOString(), bun: Bun.version, ...options, results };
  await Bun.write(values.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.scale < 1) console.log(`\nWith --scale ${options.scale}: the counts are smaller than what is promised.`);
  console.log(`\n${results.length - failed.length} passed, ${failed.length} failed; written to ${values.json}`);
  return failed.length === 0 ? 0 : 1;
}

/** Each scenario has a process of its own, so that none measures what another left behind. */
async function runOne(name: string): Promise<{ facts: Fact[]; error: string | null; said: string }> {
  const minutes = values.minutes === undefined ? [] : ["--minutes", values.minutes];
  const child = Bun.spawn([process.execPath, import.meta.path, "--one", name, "--scale", values.scale, ...minutes], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  const last = out.trim().split("\n").at(-1) ?? "";
  if (code === 0 && last.startsWith("[")) return { facts: JSON.parse(last) as Fact[], error: null, said: err };
  return { facts: [], error: err.trim().split("\n").slice(-12).join("\n") || `exit code ${code}`, said: err };
}
