// Entry point of a shard: composes its tables, servers and ingress, and follows main's orders.

import { ConnectionCounts } from "../src/handover/counts.ts";
import { Ledger } from "../src/handover/ledger.ts";
import { connectToMain, type ShardOrder, type ShardSide } from "../src/link/shard-side.ts";
import { Shard } from "./shard-core.ts";

connectToMain(
  (start) => new Ledger(start.ledger, start.incarnation),
  (side: ShardSide) => {
    const ledger = new Ledger(side.start.ledger, side.start.incarnation);
    const counts = new ConnectionCounts(side.start.counts, side.start.shard + 1);
    const shard = new Shard(side, ledger, counts);
    side.ready();
    return {
      onOrder: (order: ShardOrder) => shard.order(order),
      onConnection: (connection) => shard.connections.adopt(connection),
      takeCounters: () => shard.tunnels.takeCounters(),
    };
  },
);
