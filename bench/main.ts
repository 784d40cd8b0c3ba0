// `bun run bench`: digit-link and its peers side by side on this machine; prints tables and writes JSON.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { compareWithAims } from "./aims.ts";
import { parseOptions, usage } from "./options.ts";
import { runBench } from "./run.ts";
import { formatReport } from "./table.ts";

const say = (line: string): void => console.error(line);

/** What a shell reports for a program that SIGINT ended. */
const interruptedExitCode = 130;
const stop = new AbortController();

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) {
    console.log(usage);
    return 0;
  }
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => stop.abort(new Error("interrupted")));
  }
  const report = await runBench(options, say, stop.signal);
  const json = JSON.stringify({ ...report, aims: compareWithAims(report) }, null, 2);
  const results = join(import.meta.dir, "results");
  await mkdir(results, { recursive: true });
  const file = join(results, `${report.startedAt.replace(/[:.]/g, "-")}.json`);
  await Bun.write(file, json);
  if (options.out !== null) await Bun.write(options.out, json);
  console.log(`\n${formatReport(report)}\n\n${file}`);
  return 0;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(stop.signal.aborted ? interruptedExitCode : 1);
}
