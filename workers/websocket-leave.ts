// A visitor's WebSocket when the server leaves: told so between two messages, and ended when nobody reacts.

/** How long a WebSocket is silent before a server that leaves ends it. */
const quietMs = 2_000;
/** How long the two ends may take for each step of their good-bye. */
const stepMs = 1_000;

/** Close code 1001, "going away" (RFC 6455 7.4.1), unmasked. */
export const goingAway = Buffer.from([0x88, 2, 1001 >>> 8, 1001 & 0xff]);

/** What is to be done now. */
export type LeaveStep = "wait" | "say" | "half-close" | "break";

/** Follows the frames that go to one visitor: a close frame of ours may only stand between two of them. */
export class WebSocketLeave {
  /** The close frame was sent: nothing more goes to the visitor. */
  said = false;
  private steppedAt = 0;
  /** Payload bytes of the frame at hand that are still to come. */
  private remaining = 0;
  /** A frame's header that came in pieces: its bytes so far. */
  private header: number[] = [];

  /** Bytes went to the visitor. */
  passed(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.remaining > 0) {
        const taken = Math.min(this.remaining, end - at);
        this.remaining -= taken;
        at += taken;
        continue;
      }
      const { header } = this;
      if (header.length === 0) {
        const length = headerBytes(bytes, at, end);
        if (at + length <= end) {
          this.remaining = payloadBytes(bytes, at);
          at += length;
          continue;
        }
      }
      header.push(bytes[at++]!);
      if (header.length < headerBytes(header, 0, header.length)) continue;
      this.remaining = payloadBytes(header, 0);
      header.length = 0;
    }
  }

  /** `silentMs`: how long nothing has moved; `isLast`: the deadline is near. */
  step(now: number, silentMs: number, isLast: boolean): LeaveStep {
    if (!this.said) {
      const isBetween = this.remaining === 0 && this.header.length === 0;
      if (!isBetween || (silentMs < quietMs && !isLast)) return "wait";
      this.said = true;
      this.steppedAt = now;
      return "say";
    }
    if (now - this.steppedAt >= 2 * stepMs) return "break";
    return now - this.steppedAt >= stepMs ? "half-close" : "wait";
  }
}

/** Length of the header at `bytes[at..end)` (RFC 6455 5.2), as far as it is known. */
function headerBytes(bytes: ArrayLike<number>, at: number, end: number): number {
  if (end - at < 2) return 2;
  const second = bytes[at + 1]!;
  const length = second & 0x7f;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second >= 0x80 ? 4 : 0);
}

/** Payload length that the whole header at `at` says. */
function payloadBytes(bytes: ArrayLike<number>, at: number): number {
  const length = bytes[at + 1]! & 0x7f;
  if (length < 126) return length;
  let long = 0;
  for (let i = 2; i < (length === 126 ? 4 : 10); i++) long = long * 256 + bytes[at + i]!;
  return long;
}
