// What the person who starts the benchmark may choose, and how that reads on the command line.

import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Length of one wrk or WebSocket run. */
  seconds: number;
  /** Length of the load on each party before a row counts. */
  warmUpSeconds: number;
  /** How often the load goes round all parties in every row; medians are taken over rounds. */
  rounds: number;
  /** Row ids or prefixes of them; empty = all. */
  rows: string[];
  /** Party names; empty = all. */
  parties: string[];
  /** Bytes of one bulk run, shared by its streams. */
  bulkBytes: number;
  /** Sessions opened by the row `idle`. */
  idleSessions: number;
  /** One more place for the JSON, besides bench/results/. */
  out: string | null;
  quick: boolean;
  /** Keeps every processor awake with a loop of idle priority. */
  awake: boolean;
}

export const usage = `bun run bench [options]

  --rows a,b       only rows whose id starts with one of these:
                   rps-1 rps-64 rps-256 close pooled ws ttfb down-1 down-16 up-1 up-16 idle policy logins
  --parties a,b    only these parties (see the first lines of a run)
  --seconds N      length of one run                      (default 3, --quick 1)
  --warm-up N      load on each party before a row counts (default 6 seconds, --quick 1)
  --rounds N       times the load goes round the parties  (default 5, --quick 1)
  --bulk-mib N     size of a bulk transfer                (default 1024, --quick 64)
  --sessions N     idle sessions to open                  (default 5000, --quick 200)
  --awake          keep every processor awake with a loop of idle priority (see README.md)
  --out FILE       write the JSON there as well
  --quick          a short look: the numbers are not worth quoting
  --help`;

/** Parses `argv` (without the program); a wrong option is an Error with one sentence. `null`: help was asked for. */
export function parseOptions(argv: string[]): BenchOptions | null {
  const { values } = parseArgs({
    args: argv,
    strict: true,
    allowPositionals: false,
    options: {
      rows: { type: "string" },
      parties: { type: "string" },
      seconds: { type: "string" },
      "warm-up": { type: "string" },
      rounds: { type: "string" },
      "bulk-mib": { type: "string" },
      sessions: { type: "string" },
      out: { type: "string" },
      quick: { type: "boolean", default: false },
      awake: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const quick = values.quick;
  return {
    seconds: positive("--seconds", values.seconds, quick ? 1 : 3),
    warmUpSeconds: positive("--warm-up", values["warm-up"], quick ? 1 : 6),
    rounds: positive("--rounds", values.rounds, quick ? 1 : 5),
    bulkBytes: positive("--bulk-mib", values["bulk-mib"], quick ? 64 : 1024) * 1024 * 1024,
    idleSessions: positive("--sessions", values.sessions, quick ? 200 : 5000),
    rows: list(values.rows),
    parties: list(values.parties),
    out: values.out ?? null,
    quick,
    awake: values.awake,
  };
}

function list(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function positive(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${flag} is a whole number of at least 1, not "${text}".`);
  return value;
}
