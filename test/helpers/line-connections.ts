// A tiny line protocol whose connections move between threads on request; the main thread and the fixture worker both speak it.

import type { Socket } from "bun";
import type { ConnectionHandlers } from "../../src/handover/adopt.ts";
import type { ConnectionCounts } from "../../src/handover/counts.ts";
import { giveAway } from "../../src/handover/give.ts";
import type { Ledger } from "../../src/handover/ledger.ts";
import { pump, type PipeEnd } from "../../src/handover/pipe.ts";
import type { MovedConnection } from "../../src/handover/moved-connection.ts";

/** What hangs on a socket. */
export interface LineConnection {
  address: string;
  bucket: number;
  acceptedAtMs: number;
  unread: string;
  raw: { in: PipeEnd; out: PipeEnd } | null;
}

/**
 * Lines: `move N` (N = main or a shard) hands the connection over, with everything behind the line; `raw` turns into an echo of bytes;
 * `hang`, `crash` do that to the thread; everything else is answered with `LABEL:line`.
 */
export function createLineHandlers(thread: {
  label: string;
  counts: ConnectionCounts;
  ledger: Ledger;
  send(owner: number | "main", connection: MovedConnection): boolean;
}): ConnectionHandlers<LineConnection> {
  const feed = (socket: Socket<LineConnection>): void => {
    const connection = socket.data;
    for (;;) {
      const end = connection.unread.indexOf("\n");
      if (end < 0) return;
      const line = connection.unread.slice(0, end);
      connection.unread = connection.unread.slice(end + 1);
      const [word, argument = ""] = line.split(" ");
      if (word === "move") {
        const { address, acceptedAtMs, unread } = connection;
        const meta = { address, acceptedAtMs, unread, secure: false, last: false, moves: 1, lent: false };
        const owner = argument === "main" ? "main" : Number(argument);
        if (giveAway(socket, meta, thread.ledger, (moved) => thread.send(owner, moved))) return;
        writeWhole(socket, `${thread.label}:not moved\n`);
      } else if (word === "raw") {
        const { a, b } = pump(socket, socket);
        connection.raw = { in: a, out: b };
        if (connection.unread !== "") a.received(Buffer.from(connection.unread, "latin1"));
        return;
      } else if (word === "hang") for (;;);
      else if (word === "crash") throw new Error("crash, as asked");
      else writeWhole(socket, `${thread.label}:${line}\n`);
    }
  };
  return {
    open(socket) {
      socket.data.bucket = thread.counts.opened(socket.data.address);
      feed(socket);
    },
    data(socket, chunk) {
      const { raw } = socket.data;
      if (raw !== null) return raw.in.received(chunk);
      socket.data.unread += chunk.toString("latin1");
      feed(socket);
    },
    drain: (socket) => socket.data.raw?.out.drain(),
    end(socket) {
      if (socket.data.raw === null) socket.shutdown();
      else socket.data.raw.in.end();
    },
    close(socket, error) {
      thread.counts.closed(socket.data.bucket);
      socket.data.raw?.in.close(error);
      socket.data.raw?.out.close(error);
    },
    error(socket, error) {
      socket.terminate();
      // A test asked for it: the whole thread is to die, as from a bug outside of a handler.
      if (error.message.startsWith("crash")) {
        queueMicrotask(() => {
          throw error;
        });
      }
    },
  };
}

/** The state of a connection that just arrived. */
export function toLineConnection(connection: Omit<MovedConnection, "fd">): LineConnection {
  const { address, acceptedAtMs, unread } = connection;
  return { address, acceptedAtMs, unread, bucket: -1, raw: null };
}

/** Writes a short text; throws when the kernel does not take all of it, so that a test fails by that and does not wait for the rest. */
export function writeWhole(socket: Pick<Socket, "write">, text: string): void {
  const written = socket.write(text);
  // Less than nothing: it is closed, and whoever waits is told by that.
  if (written >= 0 && written < text.length) throw new Error(`only ${written} of ${text.length} bytes were taken`);
}
