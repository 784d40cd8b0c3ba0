// What a lent request costs its visitor: nothing that is counted per address.

import { expect, test } from "bun:test";
import { createPair } from "../../src/lib/descriptor.ts";
import { ConnectionCounts, createCountsMemory } from "../../src/handover/counts.ts";
import { createLedgerMemory, Ledger } from "../../src/handover/ledger.ts";
import { Connections } from "../../src/ingress/connections.ts";
import type { IngressHost } from "../../src/ingress/exchange.ts";
import { eventually } from "../helpers/eventually.ts";

test("the way of lent requests counts among all connections, and among no address's", async () => {
  const memory = createLedgerMemory(1024);
  const counts = new ConnectionCounts(createCountsMemory(1), 0);
  const host = { settings: { headTimeoutMs: 10_000 }, released: (one) => connections.released(one) } as IngressHost;
  const connections = new Connections({ ledger: new Ledger(memory, 0), counts, host, tickMs: 1_000 });
  const address = "192.0.2.1";
  const adopt = (lent: boolean): void => {
    const fd = createPair()![0];
    const meta = { address, secure: false, unread: "", acceptedAtMs: 0, last: false, moves: 0, lent };
    new Ledger(memory, 1).send(fd, -1, 0, () => connections.adopt({ fd, ...meta }));
  };
  adopt(false);
  adopt(true);
  expect([counts.total(), counts.ofAddress(address)]).toEqual([2, 1]);
  connections.close();
  await eventually(() => counts.total() === 0 && counts.ofAddress(address) === 0, "all are given back");
});
