// Shards killed under load: the bare hand-over 200 times, and those of a whole server with visitors on every shard; with canaries open.

import { killShards } from "../helpers/kill-shards.ts";
import { killUnderLoad } from "../helpers/kill-under-load.ts";
import {
  atLeast,
  atMost,
  exactly,
  type Fact,
  figure,
  nothingIn,
  type Scenario,
  scaled,
  type SoakOptions,
} from "./scenario.ts";

export const shardKills: Scenario = {
  name: "shard-kills",
  about: "200 kills of bare threads that connections move between, with canary files and sockets open",
  async run(options) {
    const kills = scaled(options, 200, 10);
    const report = await killUnderLoad(kills);
    return [
      exactly("kills", report.kills, kills),
      exactly("canaries hit", report.canariesHit, 0),
      exactly("wrong answers", report.wrong, 0),
      atLeast("connections that went all their way", report.finished, kills),
      atMost("descriptors more than before", report.descriptorsAfter - report.descriptorsBefore, 0),
      exactly("descriptors in flight afterwards", report.inFlight, 0),
      exactly("connections counted afterwards", report.connections, 0),
    ];
  },
};

export const shardFaults: Scenario = {
  name: "shard-faults",
  about:
    "200 shards of a whole server are killed, throw, leave or hang under load, canaries open; others notice nothing",
  async run(options) {
    const always = "1000000";
    return [
      ...(await faultsWith("moved", { LEND_AFTER_MOVES: always }, options)),
      ...(await faultsWith("lent", {}, options)),
    ];
  },
};

async function faultsWith(way: string, env: Record<string, string>, options: SoakOptions): Promise<Fact[]> {
  const kills = scaled(options, 100, 8);
  const report = await killShards(kills, env);
  const { moving, descriptors } = report;
  const kinds = [...new Set(Object.values(descriptors).flatMap((one) => Object.keys(one)))];
  const leaks = kinds
    .filter((kind) => descriptors.before[kind] !== descriptors.after[kind])
    .map((kind) => `${kind}: ${descriptors.before[kind] ?? 0}, then ${descriptors.after[kind] ?? 0}`);
  return [
    exactly(`${way}: kills`, report.kills, kills),
    nothingIn(`${way}: failed requests on other shards`, report.othersFailed),
    exactly(`${way}: sessions of other shards lost`, report.othersLost, 0),
    atLeast(`${way}: served requests on other shards`, report.othersServed, 100 * kills),
    atMost(`${way}: slowest return of an agent`, report.slowestBackMs, 5_000, "ms"),
    atLeast(`${way}: right answers on connections that move`, moving.right, 50 * kills),
    nothingIn(`${way}: wrong ones`, moving.wrong),
    figure(`${way}: refused with 5xx or broken`, moving.refused + moving.broken),
    nothingIn(`${way}: requests delivered twice`, report.seenTwice),
    atLeast(`${way}: descriptors of canaries`, report.canariesOpened, 1_000 * kills),
    nothingIn(`${way}: canaries hit`, report.canariesHit),
    atLeast(`${way}: connections caught on their way to a dead shard`, report.swept, 1),
    nothingIn(`${way}: descriptors other than before`, leaks),
    figure(`${way}: memory more than before`, report.bytesMore, "bytes"),
  ];
}
