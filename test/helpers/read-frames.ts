// A whole message's frames.

import { FrameReader, type FrameSink } from "../../src/protocol/frame-reader.ts";

/** Throws ProtocolError. */
export function readFrames(message: Buffer, sink: FrameSink): void {
  new FrameReader(sink).read(message, 0, message.length, true);
}
