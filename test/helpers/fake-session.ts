// The session under streams, without a socket.

import { type FlowSession, WindowBudget } from "../../src/protocol/flow.ts";
import { DATA, END, FIN, RESET, WINDOW } from "../../src/protocol/frames.ts";
import { Outbox } from "../../src/protocol/outbox.ts";
import { readFrames } from "./read-frames.ts";

/** A session that keeps what its streams send, until `take`. */
export class FakeSession implements FlowSession {
  readonly budget = new WindowBudget();
  readonly streams = new Map<number, unknown>();
  congested = false;
  private messages: Buffer[] = [];
  readonly outbox = new Outbox({
    send: (bytes, start, end) => {
      this.messages.push(Buffer.from(bytes.subarray(start, end)));
      // A header in front, and a mask.
      bytes.fill(0xdb, start - 14, end);
    },
  });

  /** What was sent since the last call. */
  take() {
    this.outbox.flush();
    const frames: { type: number; flags: number; payload: Buffer }[] = [];
    const taken = { data: "", ends: 0, granted: 0, resets: 0, frames };
    for (const message of this.messages.splice(0)) {
      readFrames(message, {
        frame(type, flags, _stream, bytes, start, end) {
          frames.push({ type, flags, payload: Buffer.from(bytes.subarray(start, end)) });
          if (type === END || (flags & FIN) !== 0) taken.ends++;
          if (type === RESET) taken.resets++;
          else if (type === DATA) taken.data += bytes.toString("latin1", start, end);
          else if (type === WINDOW) taken.granted += bytes.readUInt32BE(start);
        },
      });
    }
    return taken;
  }
}
