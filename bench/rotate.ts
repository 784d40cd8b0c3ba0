// Runs one row: warms every party up, then goes round all of them again and again, so that noise hits all alike.

import { unlessAborted } from "./interruption.ts";
import { cpuMicros, processTree } from "./measure/proc.ts";
import type { BenchOptions } from "./options.ts";
import type { Endpoint, Party, RunningParty } from "./parties/party.ts";
import type { Measurement, Row } from "./rows.ts";

/** A party that takes part, and where the row with the pooling nginx finds it. */
export interface Contestant {
  readonly party: Party;
  readonly running: RunningParty;
  frontEndpoint: Endpoint | null;
}

/** One run with the CPU time that server and agent spent in it, per request or message. */
export interface Sample extends Measurement {
  serverCpuUs: number | null;
  agentCpuUs: number | null;
}

/** Samples by party name, in the order of rounds; a failed run is a sample without a rate and with `errors: 1`. */
export type RowSamples = Record<string, Sample[]>;

const longRounds = 3;

/** Measures `row` for all contestants that take part in it. Rejects when `signal` ends the benchmark. */
export async function runRow(
  row: Row,
  contestants: readonly Contestant[],
  options: BenchOptions,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<RowSamples> {
  const entered = contestants.filter(({ party }) => party.onlyRows === undefined || party.onlyRows.includes(row.id));
  const load = { seconds: options.seconds, bulkBytes: options.bulkBytes, firstBytes: options.quick ? 20 : 100, signal };
  const warmUp = {
    ...load,
    seconds: options.warmUpSeconds,
    bulkBytes: Math.min(load.bulkBytes, 32 * 1024 * 1024),
    firstBytes: 10,
  };
  for (const contestant of entered) await measure(row, contestant, warmUp, say);

  const samples: RowSamples = Object.fromEntries(entered.map(({ party }) => [party.name, []]));
  const rounds = row.long === true ? Math.min(options.rounds, longRounds) : options.rounds;
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entered.length; turn++) {
      // Each round starts with another party, so that nobody always follows the same one.
      const contestant = entered[(turn + round) % entered.length];
      if (contestant === undefined) continue;
      samples[contestant.party.name]?.push(await measure(row, contestant, load, say));
    }
  }
  return samples;
}

async function measure(
  row: Row,
  { party, running, frontEndpoint }: Contestant,
  load: Parameters<Row["measure"]>[1],
  say: (line: string) => void,
): Promise<Sample> {
  load.signal.throwIfAborted();
  const endpoint = row.throughFront === true ? frontEndpoint : running.endpoint;
  const before = cpuOf(running);
  let result: Measurement;
  try {
    if (endpoint === null) throw new Error("there is no pooling nginx in front of it");
    result = await unlessAborted(row.measure(endpoint, load), load.signal);
  } catch (error) {
    load.signal.throwIfAborted();
    say(`  ${party.name}: ${error instanceof Error ? error.message : String(error)}`);
    result = { rate: null, units: null, p50Us: null, p99Us: null, errors: 1 };
  }
  const after = cpuOf(running);
  const perUnit = (micros: number): number | null =>
    result.units === null || result.units === 0 ? null : micros / result.units;
  const { server, agent } = running.pids;
  return {
    ...result,
    serverCpuUs: server.length === 0 ? null : perUnit(after.server - before.server),
    agentCpuUs: agent.length === 0 ? null : perUnit(after.agent - before.agent),
  };
}

function cpuOf(running: RunningParty): { server: number; agent: number } {
  const { server, agent } = running.pids;
  return { server: cpuMicros(processTree(server)), agent: cpuMicros(processTree(agent)) };
}
