// The little of RFC 6455 that the benchmark speaks: short masked frames in, the same frames unmasked back.

import { createHash } from "node:crypto";

/** `Sec-WebSocket-Accept` for a client's key (RFC 6455, 4.2.2). */
export function acceptKey(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

/** A client's text frame with a payload of at most 125 bytes. */
export function clientFrame(payload: Uint8Array): Buffer {
  const mask = [0x37, 0xfa, 0x21, 0x3d] as const;
  const frame = Buffer.alloc(6 + payload.length);
  frame.set([0x81, 0x80 | payload.length, ...mask]);
  for (let i = 0; i < payload.length; i++) frame[6 + i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return frame;
}

/** Length on the wire of the server's frame that echoes a payload of at most 125 bytes. */
export function echoedFrameBytes(payloadBytes: number): number {
  return 2 + payloadBytes;
}

/** Echoes all whole short frames in `input`; `consumed` says where the first incomplete one starts. */
export function echoFrames(input: Buffer): { output: Buffer; consumed: number } {
  const output = Buffer.allocUnsafe(input.length);
  let at = 0;
  let out = 0;
  while (input.length - at >= 6) {
    const length = (input[at + 1] ?? 0) & 0x7f;
    if (length > 125) throw new Error("The benchmark sends no frames above 125 bytes.");
    const end = at + 6 + length;
    if (end > input.length) break;
    output[out] = input[at] ?? 0;
    output[out + 1] = length;
    for (let i = 0; i < length; i++) output[out + 2 + i] = (input[at + 6 + i] ?? 0) ^ (input[at + 2 + (i & 3)] ?? 0);
    out += 2 + length;
    at = end;
  }
  return { output: output.subarray(0, out), consumed: at };
}
