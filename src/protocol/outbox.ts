// Frames on their way out of one session: collected in one buffer, sent once per event-loop turn.

import { copyBytes } from "../lib/bytes.ts";
import { headerBytes, RESET, WINDOW, writeU32 } from "./frames.ts";

const capacity = 128 * 1024;
/** A message is sent before the turn ends once it has grown to this. */
const sendAtBytes = 64 * 1024;
const controlCapacity = 16 * 1024;

/** Data is moved behind control frames for a joint message while it is at most this long. */
const joinBytes = 16 * 1024;

/** Writable bytes in front of every message, for the header of a WebSocket frame: `message.byteOffset` is at least this. */
export const headroomBytes = 16;

// Buffers are borrowed while something waits to be sent, so that an idle session holds none.
const freeData: Buffer[] = [];
const freeControl: Buffer[] = [];
const maxFree = 32;

/**
 * Collects frames. `send` gets one message per turn (more when much is written); the view it gets is only valid
 * during the call. Window updates and session frames go ahead of data; everything of a stream stays in order.
 */
export class Outbox {
  private data: Buffer | null = null;
  private dataLength = 0;
  private control: Buffer | null = null;
  private controlLength = 0;
  private scheduled = false;
  private closed = false;

  constructor(private readonly send: (message: Buffer) => void) {}

  /** Room for a frame of up to `bytes` payload: the offset in `buffer` where the payload is to be written. */
  reserve(bytes: number): number {
    if (this.dataLength + headerBytes + bytes > capacity) this.flush();
    this.data ??= freeData.pop() ?? allocate(capacity);
    return this.dataLength + headerBytes;
  }

  /** Where `reserve` points into; only between `reserve` and `commit`. */
  get buffer(): Buffer {
    return this.data!;
  }

  /** Completes the reserved frame whose payload is `bytes` long. */
  commit(type: number, flags: number, stream: number, bytes: number): void {
    writeHeader(this.data!, this.dataLength, type, flags, stream, bytes);
    this.dataLength += headerBytes + bytes;
    if (this.dataLength >= sendAtBytes) this.flush();
    else this.schedule();
  }

  /** Sends a frame whose payload is `bytes[start..end)`, at most maxPayloadBytes. */
  frame(type: number, flags: number, stream: number, bytes: Uint8Array, start: number, end: number): void {
    const at = this.reserve(end - start);
    copyBytes(bytes, start, end, this.data!, at);
    this.commit(type, flags, stream, end - start);
  }

  /** A frame without payload, in order with the data (END). */
  empty(type: number, flags: number, stream: number): void {
    this.reserve(0);
    this.commit(type, flags, stream, 0);
  }

  window(stream: number, bytes: number): void {
    const at = this.reserveControl(4);
    writeU32(this.control!, at, bytes);
    this.commitControl(WINDOW, stream, 4);
  }

  /** `reason` is cut to 200 bytes. */
  reset(stream: number, code: number, reason: string): void {
    const at = this.reserve(202);
    this.data![at] = code >>> 8;
    this.data![at + 1] = code;
    this.commit(RESET, 0, stream, 2 + this.data!.write(reason, at + 2, 200, "utf8"));
  }

  /** A session frame with JSON (at most 8 KiB) or opaque bytes. */
  session(type: number, payload: Uint8Array | object, stream = 0): void {
    const bytes = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
    const at = this.reserveControl(bytes.length);
    this.control!.set(bytes, at);
    this.commitControl(type, stream, bytes.length);
  }

  /** Sends what is there now. */
  flush(): void {
    const { data, control, dataLength, controlLength } = this;
    this.data = null;
    this.control = null;
    this.dataLength = 0;
    this.controlLength = 0;
    if (controlLength > 0 && dataLength > 0 && dataLength <= joinBytes) {
      // One system call for both: control first.
      data!.copyWithin(controlLength, 0, dataLength);
      control!.copy(data!, 0, 0, controlLength);
      this.emit(data!, controlLength + dataLength);
    } else {
      if (controlLength > 0) this.emit(control!, controlLength);
      if (dataLength > 0) this.emit(data!, dataLength);
    }
    if (data !== null && freeData.length < maxFree) freeData.push(data);
    if (control !== null && freeControl.length < maxFree) freeControl.push(control);
  }

  /** Nothing is sent from here on. */
  close(): void {
    this.closed = true;
  }

  private emit(buffer: Buffer, length: number): void {
    if (!this.closed) this.send(buffer.subarray(0, length));
  }

  private reserveControl(bytes: number): number {
    if (this.controlLength + headerBytes + bytes > controlCapacity) this.flush();
    this.control ??= freeControl.pop() ?? allocate(controlCapacity);
    return this.controlLength + headerBytes;
  }

  private commitControl(type: number, stream: number, bytes: number): void {
    writeHeader(this.control!, this.controlLength, type, 0, stream, bytes);
    this.controlLength += headerBytes + bytes;
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.flush();
    });
  }
}

function allocate(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(headroomBytes + bytes).subarray(headroomBytes);
}

function writeHeader(out: Buffer, at: number, type: number, flags: number, stream: number, bytes: number): void {
  out[at] = type;
  out[at + 1] = flags;
  out[at + 2] = bytes >>> 8;
  out[at + 3] = bytes;
  writeU32(out, at + 4, stream);
}
