// Two sockets joined into a raw pipe, both ways, with back-pressure and half-close; bytes are neither looked at nor collected.

import type { Socket } from "bun";
import { freeLarge, Reads } from "../lib/large-reads.ts";
import { connectDescriptor, type ConnectionHandlers } from "./adopt.ts";
import { closeDescriptor, hasHungUp, setResetOnClose } from "../lib/descriptor.ts";
import { markedAs } from "../lib/send-queue.ts";
import { givePair, type ConnectionMeta, type PostConnection } from "./give.ts";
import type { Ledger } from "./ledger.ts";
import { Lookout, type Waiting } from "./lookout.ts";

/** What a pipe needs of a Bun socket. */
export type PipeSocket = Pick<Socket<unknown>, "write" | "pause" | "resume" | "shutdown" | "terminate"> & {
  end(): void;
};

/** One side of a pipe: the owner of that socket passes its events on to this. */
export interface PipeEnd {
  received(chunk: Uint8Array): void;
  drain(): void;
  /** The socket's peer sent FIN. */
  end(): void;
  /** A handler threw; `close` follows. */
  threw(): void;
  /** The socket closed; `error` is what Bun's `close` handler was given. */
  close(error?: Error): void;
}

/** How long a socket whose other side is gone may take none of the bytes that are left for it. */
const lingerMs = 30_000;

/**
 * Joins two open sockets (both with `allowHalfOpen`). From now on each socket's events go to its end, nowhere else. A FIN is passed on as
 * `shutdown()` once everything before it is written, a close as `end()` likewise, a reset as `terminate()`. `endMark`: in it whoever
 * sends what `b` receives says when that has no other end than its FIN (`SendQueue.endMark`). An end of `b` before it is whole is then passed on as a
 * reset, which a unix socket doesn't know, and until its FIN is passed on the death of this process resets `a`. While the receiver is slow, one read
 * per direction (512 KiB) is held here.
 * `onClosed` is called once both have closed; `onAlone` when `b` has gone, or is about to, and `a` has yet to take what is left for it.
 */
export function pump(
  a: PipeSocket,
  b: PipeSocket,
  onClosed?: () => void,
  endMark: Int32Array | null = null,
  onAlone?: () => void,
): { a: PipeEnd; b: PipeEnd } {
  const left = new End(a, null);
  const right = new End(b, endMark);
  left.onAlone = onAlone;
  left.join(right, onClosed);
  right.join(left, onClosed);
  return { a: left, b: right };
}

/** Ends that have not taken all that was for them. */
const holding = new Lookout();

/** Whether some pipe of this thread holds bytes. */
export function isHolding(): boolean {
  return holding.size > 0;
}

const pausedByPeer = 2;

class End extends Reads implements PipeEnd, Waiting {
  /** The peer is gone while bytes for this socket are left. */
  onAlone: (() => void) | undefined;
  protected readonly socket: PipeSocket;
  // oxlint-disable-next-line no-unused-private-class-members -- it sees only `this.#peer = `, not `this.#peer.#write`
  #peer: End = this;
  #onClosed: (() => void) | undefined;
  /** Bytes that this socket did not take yet, in order. */
  #waiting: { chunk: Uint8Array; at: number }[] = [];
  /** The peer is paused until `#waiting` is empty. */
  #holding = false;
  /** What follows the last of `#waiting`. */
  #then: "more" | "shutdown" | "end" = "more";
  #closed = false;
  #isUnfinished = false;
  readonly #endMark: Int32Array | null;
  #lingering: Timer | undefined;

  constructor(socket: PipeSocket, endMark: Int32Array | null) {
    super();
    this.socket = socket;
    this.#endMark = endMark;
  }

  join(peer: End, onClosed: (() => void) | undefined): void {
    this.#peer = peer;
    this.#onClosed = onClosed;
  }

  /** Until our FIN a close of this socket resets it. */
  #unfinished(): void {
    if (this.#isUnfinished) return;
    this.#isUnfinished = true;
    setResetOnClose(this.socket, true);
  }

  received(chunk: Uint8Array): void {
    const { byteLength } = chunk;
    // It was marked before it was sent.
    if (this.#mark !== 0) this.#peer.#unfinished();
    this.#peer.#write(chunk);
    this.restAfterLarge(byteLength);
  }

  lookAgain(): void {
    // The other side is gone, which it can't say before it is read to its end.
    if (hasHungUp(this.#peer.socket)) this.#linger();
    this.drain();
  }

  drain(): void {
    if (!this.#holding || this.#closed) return;
    while (this.#waiting.length > 0) {
      const first = this.#waiting[0]!;
      const { chunk, at } = first;
      const written = this.socket.write(chunk, at, chunk.byteLength - at);
      if (written < 0) return this.socket.terminate();
      if (written > 0) this.#lingering?.refresh();
      first.at += written;
      if (first.at < chunk.byteLength) return;
      this.#waiting.shift();
      freeLarge(chunk);
    }
    this.#holding = false;
    holding.delete(this);
    if (this.#then !== "more") this.#endBy(this.#then);
    else this.#peer.unpause(pausedByPeer);
  }

  end(): void {
    if (this.#mark === markedAs.unfinished) this.#peer.socket.terminate();
    else this.#peer.#finish("shutdown");
  }

  close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    holding.delete(this);
    clearTimeout(this.#lingering);
    if (this.#peer.#closed) return this.#onClosed?.();
    // A socket that has sent its FIN gets no `end` event any more, only this: no error means that nothing was lost.
    const isBreak = error !== undefined || this.hasThrown || this.#mark === markedAs.unfinished;
    if (isBreak) this.#peer.socket.terminate();
    else this.#peer.#finish("end");
  }

  get #mark(): number {
    return this.#endMark === null ? 0 : Atomics.load(this.#endMark, 0);
  }

  #write(chunk: Uint8Array): void {
    if (this.#closed) return;
    if (this.#holding) {
      // One more read may have been on its way when the source was paused.
      this.#waiting.push({ chunk, at: 0 });
      return;
    }
    const written = this.socket.write(chunk);
    if (written === chunk.byteLength) return freeLarge(chunk);
    if (written < 0) return this.socket.terminate();
    // Bun hands out a fresh buffer per read, so a view of it may be kept: an end is never `isPlain`, or it would be read by hand.
    this.#waiting.push({ chunk, at: written });
    this.#holding = true;
    holding.add(this);
    this.#peer.pause(pausedByPeer);
  }

  #finish(how: "shutdown" | "end"): void {
    if (this.#closed) return;
    this.#then = how;
    if (!this.#holding) return this.#endBy(how);
    if (how === "end") this.#linger();
  }

  #endBy(how: "shutdown" | "end"): void {
    // What the kernel still has to deliver is whole.
    if (this.#isUnfinished) setResetOnClose(this.socket, false);
    this.socket[how]();
  }

  /** Nobody else watches this socket now: a peer that reads nothing may not keep it for ever. */
  #linger(): void {
    if (this.#lingering !== undefined) return;
    this.#lingering = setTimeout(() => this.socket.terminate(), lingerMs);
    this.onAlone?.();
  }
}

/** For our end of a pair; `data` hears its events. Until there is somebody there are none, and behind a `terminate` nobody cares. */
const pairHandlers: ConnectionHandlers<PipeEnd | null> = {
  data: (socket, chunk) => socket.data?.received(chunk),
  drain: (socket) => socket.data?.drain(),
  end: (socket) => socket.data?.end(),
  close: (socket, error) => socket.data?.close(error),
  error(socket) {
    socket.data?.threw();
    socket.terminate();
  },
};

/**
 * Hands over a connection that can't be moved itself (its TLS ends here, or the platform has no `dup`): the receiver gets one end of a
 * socket pair, this thread pumps between the other end and `socket`. Returns the end that gets `socket`'s events from now on;
 * null: the receiver is not there or the process is out of descriptors, and `socket` is untouched. `onAlone`: as in `pump`; who
 * received it counts it no longer.
 */
export function pipeThrough(
  socket: PipeSocket,
  meta: ConnectionMeta,
  ledger: Ledger,
  post: PostConnection,
  onAlone?: () => void,
): PipeEnd | null {
  const opened: Socket<PipeEnd | null>[] = [];
  const open = (one: Socket<PipeEnd | null>): void => void opened.push(one);
  const keep = (fd: number): void =>
    void connectDescriptor({ fd, allowHalfOpen: true, data: null, socket: { ...pairHandlers, open } }).catch(() =>
      closeDescriptor(fd),
    );
  // Only a reset tells an HTTP/1.0 visitor that an answer without a length is cut short; the others are told by their framing.
  const endMark = new Int32Array(new SharedArrayBuffer(4));
  const isPosted = givePair(ledger, keep, (fd) => opened.length > 0 && post({ ...meta, endMark, fd }));
  const [ours] = opened;
  if (!isPosted || ours === undefined) {
    ours?.terminate();
    return null;
  }
  const { a, b } = pump(socket, ours, undefined, endMark, onAlone);
  ours.data = b;
  return a;
}
