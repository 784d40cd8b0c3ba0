// A shard for tests of the hand-over: adopts connections that speak the line protocol.

import { createAdopter } from "../../src/handover/adopt.ts";
import { ConnectionCounts } from "../../src/handover/counts.ts";
import { Ledger } from "../../src/handover/ledger.ts";
import type { LocalStatus } from "../../src/link/messages.ts";
import { connectToMain } from "../../src/link/shard-side.ts";
import { createLineHandlers, toLineConnection } from "./line-connections.ts";

connectToMain(
  ({ ledger, incarnation }) => new Ledger(ledger, incarnation),
  (side) => {
    const { start } = side;
    // A domain that is no domain: how the tests make a worker that can't start.
    if (start.settings.domain === "!") throw new Error("refuses to start");
    const counts = new ConnectionCounts(start.counts, start.shard + 1);
    const handlers = createLineHandlers({
      label: String(start.shard),
      counts,
      ledger: side.ledger,
      // As the product does it: a peer that is not there, or not known yet, is left to main.
      send: (owner, connection) =>
        side.sendConnection(owner, connection) ||
        side.sendConnection("main", { ...connection, unread: `move ${owner}\n${connection.unread}` }),
    });
    const adopt = createAdopter(handlers, side.ledger, () => {});
    let asked = 0;
    // One that takes its time, for several ticks of main.
    if (start.settings.domain === "slow") setTimeout(() => side.ready(), 1_000);
    else side.ready();
    return {
      onConnection: (connection) => adopt(connection.fd, toLineConnection(connection)),
      onOrder(order) {
        if (order.type === "drain") {
          side.event({ type: "local.status", tunnelId: "drain", status: { state: "unknown" } });
          side.send({ type: "drained" });
        }
        if (order.type === "check" && order.tunnelId !== "silent") {
          const status: LocalStatus = { state: "up", provenAtMs: start.shard, connectMs: 1 };
          side.send({ type: "checked", id: order.id, status });
        }
        if (order.type === "ticket") {
          const { tunnelId } = order.ticket;
          side.event({ type: "local.status", tunnelId, status: { state: "unknown" } });
        }
        const asker = { name: "line", appId: null, address: "192.0.2.1", network: null };
        if (order.type === "watch")
          side.send({ type: "ask", id: ++asked, ask: { kind: "session", session: "", ...asker } });
        if (order.type === "answer")
          side.event({
            type: "local.status",
            tunnelId: `${order.id} ${order.answer.kind}`,
            status: { state: "unknown" },
          });
      },
      takeCounters: () => [],
    };
  },
);
