// Every soak scenario, in the order in which they run.

import { attackers } from "./attackers.ts";
import { bulk, bulkTls } from "./bulk.ts";
import { clock } from "./clock.ts";
import { contract, writes } from "./contract.ts";
import { conversations } from "./conversations.ts";
import { halfOpen } from "./half-open.ts";
import { idleSessions, idleSessionsDirect } from "./idle-sessions.ts";
import { kills } from "./kills.ts";
import { lists, listsOnPostgres } from "./lists.ts";
import { readers, slowService } from "./load.ts";
import { moves } from "./moves.ts";
import { overload } from "./overload.ts";
import { pacedReader } from "./paced-reader.ts";
import { quiet } from "./quiet.ts";
import { restart } from "./restart.ts";
import type { Scenario } from "./scenario.ts";
import { shardFaults, shardKills } from "./shards.ts";
import { takeovers } from "./takeovers.ts";

export const scenarios: readonly Scenario[] = [
  moves,
  shardKills,
  shardFaults,
  bulk,
  bulkTls,
  idleSessions,
  idleSessionsDirect,
  conversations,
  takeovers,
  kills,
  restart,
  slowService,
  readers,
  pacedReader,
  attackers,
  overload,
  halfOpen,
  clock,
  quiet,
  lists,
  writes,
  listsOnPostgres,
  contract,
];
