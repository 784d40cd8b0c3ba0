// Frames on their way out of one session: collected in one buffer, sent once per event-loop turn.

import { copyBytes } from "../lib/bytes.ts";
import { DATA, END, FIN, headerBytes, maxJsonBytes, readU32, RESET, WINDOW, writeU32 } from "./frames.ts";

const capacity = 128 * 1024;
/** A message is sent before the turn ends once it has grown to this. */
const sendAtBytes = 64 * 1024;
/** Or holds so many frames of streams: the other end, on another processor, shall not wait for all that this turn still brings. */
const sendAtFrames = 16;
const controlCapacity = 16 * 1024;

/** Data is moved behind control frames for a joint message while it is at most this long. */
const joinBytes = 16 * 1024;

/** Writable bytes in front of every message, for the header of a WebSocket frame. */
const headroomBytes = 16;
/** What `inPlace` writes in front of a payload. */
export const leadBytes = headroomBytes + headerBytes;

// Buffers are borrowed while something waits to be sent, so that an idle session holds none.
const freeData: Buffer[] = [];
const freeControl: Buffer[] = [];
const maxFree = 32;

/** Who sends what an Outbox has collected. */
export interface OutboxSink {
  /** One message, `bytes[start..end)` with `headroomBytes` in front of it, only valid during the call. */
  send(bytes: Buffer, start: number, end: number): void;
}

/**
 * Collects frames. `sink` gets one message per turn (more when much is written). Window updates and session frames go ahead of data; everything of a stream stays in order.
 */
export class Outbox {
  private data: Buffer | null = null;
  private dataEnd = headroomBytes;
  private dataFrames = 0;
  /** Where the last frame in `data` begins. */
  private lastAt = 0;
  private control: Buffer | null = null;
  private controlEnd = headroomBytes;
  private scheduled = false;
  private closed = false;

  constructor(private readonly sink: OutboxSink) {}

  /** Room for a frame of up to `bytes` payload: the offset in `buffer` where the payload is to be written. */
  reserve(bytes: number): number {
    if (this.dataEnd + headerBytes + bytes > capacity) this.flush();
    this.data ??= freeData.pop() ?? Buffer.allocUnsafeSlow(capacity);
    return this.dataEnd + headerBytes;
  }

  /** Where `reserve` points into; only between `reserve` and `commit`. */
  get buffer(): Buffer {
    return this.data!;
  }

  /** Completes the reserved frame whose payload is `bytes` long. */
  commit(type: number, flags: number, stream: number, bytes: number): void {
    writeHeader(this.data!, this.dataEnd, type, flags, stream, bytes);
    this.lastAt = this.dataEnd;
    this.dataEnd += headerBytes + bytes;
    this.dataFrames++;
    if (this.dataEnd >= sendAtBytes || this.dataFrames >= sendAtFrames) this.flush();
    else this.schedule();
  }

  /** Sends a frame whose payload is `bytes[start..end)`, at most maxPayloadBytes. */
  frame(type: number, flags: number, stream: number, bytes: Uint8Array, start: number, end: number): void {
    const at = this.reserve(end - start);
    copyBytes(bytes, start, end, this.data!, at);
    this.commit(type, flags, stream, end - start);
  }

  /** Like `frame`, at once and without a copy: the `leadBytes` in front of the payload are overwritten, and a mask changes it. */
  inPlace(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    this.flush();
    writeHeader(bytes, start - headerBytes, type, flags, stream, end - start);
    if (!this.closed) this.sink.send(bytes, start - headerBytes, end);
  }

  /** The stream's direction ends, without trailers: by its last DATA frame if that is the last one here, else by an END of its own. */
  end(stream: number): void {
    const { data, lastAt } = this;
    if (data !== null && this.dataFrames > 0 && data[lastAt] === DATA && readU32(data, lastAt + 4) === stream) {
      data[lastAt + 1] = FIN;
      return;
    }
    this.reserve(0);
    this.commit(END, FIN, stream, 0);
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

  /** A session frame with JSON or opaque bytes. Callers keep it to `maxJsonBytes`, more than which no peer reads: RangeError, and nothing is sent. */
  session(type: number, payload: Uint8Array | object, stream = 0): void {
    const bytes = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
    if (bytes.length > maxJsonBytes) throw new RangeError(`${bytes.length} bytes in one control frame`);
    const at = this.reserveControl(bytes.length);
    this.control!.set(bytes, at);
    this.commitControl(type, stream, bytes.length);
  }

  /** A session frame with a few bytes that leaves now, with all that waits: no turn of the event loop for a lone ping. */
  sessionNow(type: number, bytes: Uint8Array, start: number, end: number): void {
    const at = this.reserveControl(end - start);
    copyBytes(bytes, start, end, this.control!, at);
    this.putControl(type, 0, end - start);
    this.flush();
  }

  /** Sends what is there now. */
  flush(): void {
    const { data, control, dataEnd, controlEnd } = this;
    this.data = null;
    this.control = null;
    this.dataEnd = headroomBytes;
    this.dataFrames = 0;
    this.controlEnd = headroomBytes;
    if (control !== null && data !== null && dataEnd - headroomBytes <= joinBytes) {
      // One system call for both: control first.
      data.copyWithin(controlEnd, headroomBytes, dataEnd);
      control.copy(data, headroomBytes, headroomBytes, controlEnd);
      this.emit(data, dataEnd + controlEnd - headroomBytes);
    } else {
      if (control !== null) this.emit(control, controlEnd);
      if (data !== null) this.emit(data, dataEnd);
    }
    if (data !== null && freeData.length < maxFree) freeData.push(data);
    if (control !== null && freeControl.length < maxFree) freeControl.push(control);
  }

  /** Nothing is sent from here on. */
  close(): void {
    this.closed = true;
  }

  private emit(bytes: Buffer, end: number): void {
    if (!this.closed) this.sink.send(bytes, headroomBytes, end);
  }

  private reserveControl(bytes: number): number {
    if (this.controlEnd + headerBytes + bytes > controlCapacity) this.flush();
    this.control ??= freeControl.pop() ?? Buffer.allocUnsafeSlow(controlCapacity);
    return this.controlEnd + headerBytes;
  }

  private commitControl(type: number, stream: number, bytes: number): void {
    this.putControl(type, stream, bytes);
    this.schedule();
  }

  private putControl(type: number, stream: number, bytes: number): void {
    writeHeader(this.control!, this.controlEnd, type, 0, stream, bytes);
    this.controlEnd += headerBytes + bytes;
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

function writeHeader(out: Buffer, at: number, type: number, flags: number, stream: number, bytes: number): void {
  out[at] = type;
  out[at + 1] = flags;
  out[at + 2] = bytes >>> 8;
  out[at + 3] = bytes;
  writeU32(out, at + 4, stream);
}
