// A socket for one side of a pipe, without a connection.

import type { PipeSocket } from "../../src/handover/pipe.ts";

/** A socket that takes as many bytes as it has `room` for, and writes down what is done to it. */
export class FakePipeSocket implements PipeSocket {
  /** Only what looks at descriptors needs a real one. */
  fd = -1;
  room = Infinity;
  taken = "";
  log: string[] = [];
  write(chunk: Parameters<PipeSocket["write"]>[0], offset = 0): number {
    if (this.room < 0) return -1;
    const bytes = Buffer.from(chunk as Uint8Array).subarray(offset, offset + this.room);
    this.room -= bytes.length;
    this.taken += bytes.toString();
    return bytes.length;
  }
  pause = (): void => void this.log.push("pause");
  resume = (): void => void this.log.push("resume");
  shutdown = (): void => void this.log.push("shutdown");
  end = (): void => void this.log.push("end");
  terminate = (): void => void this.log.push("terminate");
}
