// A TCP relay between agent and server (or visitor and server) that cuts, stalls and delays what passes through it.

import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** One connection through the relay. */
export interface RelayedConnection {
  /** Bytes so far, client to server and back. */
  up: number;
  down: number;
  /** What the client sent first (256 bytes at most), as latin1. */
  readonly first: string;
  readonly open: boolean;
  /** Resets both sides. */
  cut(): void;
  /** Passes nothing on any more, in neither direction, and tells nobody: a half-open peer. */
  stall(): void;
  /** Ends `stall`. */
  resume(): void;
}

export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** `http://localhost:PORT`, for agents. */
  readonly origin: string;
  /** All so far, the oldest first. */
  readonly connections: readonly RelayedConnection[];
  /** Those that are open and carry an agent's session. */
  sessions(): RelayedConnection[];
  /** Each piece is passed on this much later (order is kept). */
  delayMs: number;
  /** Where new connections go. */
  target: number;
  /** New connections are reset at once. */
  refusing: boolean;
}

/** Listens on a free port and passes everything on to `port`. */
export async function startRelay(port: number): Promise<Relay> {
  const connections: (RelayedConnection & { pair: Socket[] })[] = [];
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (relay.refusing) return void client.resetAndDestroy();
    const target = connect({ port: relay.target, host: "127.0.0.1", allowHalfOpen: true });
    const pair = [client, target];
    const state = { stalled: false, first: "" };
    const one = {
      up: 0,
      down: 0,
      pair,
      get first() {
        return state.first;
      },
      get open() {
        return !client.destroyed && !target.destroyed;
      },
      cut: () => pair.forEach((socket) => void socket.resetAndDestroy()),
      stall() {
        state.stalled = true;
        for (const socket of pair) socket.pause();
      },
      resume() {
        state.stalled = false;
        for (const socket of pair) socket.resume();
      },
    };
    connections.push(one);
    const join = (from: Socket, to: Socket, way: "up" | "down"): void => {
      const later = (action: () => void): void => {
        const run = (): void => {
          if (!state.stalled && !to.destroyed) action();
        };
        if (relay.delayMs === 0) run();
        else setTimeout(run, relay.delayMs);
      };
      from.on("data", (bytes: Buffer) => {
        one[way] += bytes.length;
        if (way === "up" && state.first.length < 256) state.first += bytes.toString("latin1", 0, 256);
        later(() => {
          if (to.write(bytes)) return;
          from.pause();
          to.once("drain", () => state.stalled || from.resume());
        });
      });
      from.on("end", () => later(() => to.end()));
      from.on("error", () => state.stalled || to.resetAndDestroy());
      from.on("close", () => later(() => to.destroy()));
      from.setNoDelay(true);
    };
    join(client, target, "up");
    join(target, client, "down");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const own = (server.address() as AddressInfo).port;
  const relay: Relay = {
    port: own,
    origin: `http://localhost:${own}`,
    connections,
    sessions: () => connections.filter((one) => one.open && one.first.startsWith("GET /_tunnel/s/")),
    target: port,
    delayMs: 0,
    refusing: false,
    async [Symbol.asyncDispose]() {
      for (const { pair } of connections) for (const socket of pair) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return relay;
}
