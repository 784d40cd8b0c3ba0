// A TLS visitor that says nothing more, not even that it has heard of the end, doesn't keep its connection.

import { expect, test } from "bun:test";
import { ingressLimits } from "../helpers/fake-visitor.ts";
import { eventually } from "../helpers/eventually.ts";
import { testTls } from "../helpers/test-tls.ts";
import { ConnectionCounts, createCountsMemory } from "../../src/handover/counts.ts";
import { createLedgerMemory, Ledger } from "../../src/handover/ledger.ts";
import { Connections } from "../../src/ingress/connections.ts";
import type { VisitorConnection } from "../../src/ingress/connection.ts";
import type { IngressHost } from "../../src/ingress/exchange.ts";
import { ownerHandlers } from "../../src/ingress/handlers.ts";
import type { SocketOwner } from "../../src/ingress/visitor-socket.ts";
import { closeDescriptor } from "../../src/lib/descriptor.ts";

const meta = { address: "127.0.0.1", secure: true, acceptedAtMs: 0, last: false, moves: 0, lent: false };

function pipedAndLeft(connection: VisitorConnection, connections: Connections): void {
  connection.move((socket, more) =>
    connections.give(socket, more, ({ fd }) => {
      setImmediate(() => closeDescriptor(fd));
      return true;
    }),
  );
}

test.each([
  ["answered on the main thread", (connection: VisitorConnection) => connection.answer("not_found")],
  ["piped to a thread that closes it", pipedAndLeft],
] as const)("one that is %s", async (_, route) => {
  const counts = new ConnectionCounts(createCountsMemory(1), 0);
  const host = {
    settings: ingressLimits,
    judgeHost: () => ({ kind: "tunnel", name: "x", host: "x" }),
    route: (connection) => route(connection, connections),
    released: (connection) => connections.released(connection),
  } as Partial<IngressHost> as IngressHost;
  const ledger = new Ledger(createLedgerMemory(1024), 0, -1);
  const connections: Connections = new Connections({ ledger, counts, host, tickMs: 50 });
  let closed = 0;
  const listener = Bun.listen<SocketOwner>({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true, tls: testTls },
    socket: {
      ...ownerHandlers,
      handshake: (socket) => connections.accept(socket, { ...meta }, true),
      close(socket, error) {
        ownerHandlers.close(socket, error);
        closed++;
      },
    },
  });
  const visitor = await Bun.connect({
    ...{ hostname: "127.0.0.1", port: listener.port, allowHalfOpen: true },
    tls: { ca: testTls.cert, serverName: "localhost" },
    socket: {
      data() {},
      handshake(socket) {
        socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        socket.pause();
      },
    },
  });
  await eventually(() => closed === 1, "its connection is closed");
  expect(counts.total()).toBe(0);
  visitor.terminate();
  connections.close();
  listener.stop(true);
});
