// Two sockets joined into a raw pipe, both ways, with back-pressure and half-close; bytes are neither looked at nor collected.

import type { Socket } from "bun";
import { freeLarge, Reads } from "../lib/large-reads.ts";
import { connectDescriptor } from "./adopt.ts";
import { closeDescriptor, createPair, hasHungUp, setResetOnClose } from "../lib/descriptor.ts";
import type { ConnectionMeta, PostConnection } from "./give.ts";
import { LateSocket, type PipeSocket } from "./late-socket.ts";
import { Lookout, type Waiting } from "./lookout.ts";

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

const http10 = /^\S+ \S+ HTTP\/1\.0\r\n/;

/** How long a socket whose other side is gone may take none of the bytes that are left for it. */
const lingerMs = 30_000;

/**
 * Joins two open sockets (both with `allowHalfOpen`). From now on each socket's events go to its end, nowhere else. A FIN is passed on as
 * `shutdown()` once everything before it is written, a close as `end()` likewise, a reset as `terminate()`. `endsByClose`: what `b` sends may
 * have no other end than its FIN. A close of it without a FIN some time before is then taken for a reset, which a unix socket doesn't know, and
 * until its FIN is passed on the death of this process resets `a`. Where an answer ends is not known here: on a connection that HTTP/1.0 keeps alive
 * a whole one that the visitor has not taken yet is cut by such a reset too, which its length tells. While the receiver is slow, one read per
 * direction (512 KiB) is held here.
 * `onClosed` is called once both have closed; `onAlone` when `b` has gone, or is about to, and `a` has yet to take what is left for it.
 */
export function pump(
  a: PipeSocket,
  b: PipeSocket,
  onClosed?: () => void,
  endsByClose = false,
  onAlone?: () => void,
): { a: PipeEnd; b: PipeEnd } {
  const left = new End(a, false);
  const right = new End(b, endsByClose);
  if (endsByClose) left.unfinished();
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
  /** Its FIN was passed on. */
  #hasEnded = false;
  #isUnfinished = false;
  readonly #endsByClose: boolean;
  #lingering: Timer | undefined;

  constructor(socket: PipeSocket, endsByClose: boolean) {
    super();
    this.socket = socket;
    this.#endsByClose = endsByClose;
  }

  join(peer: End, onClosed: (() => void) | undefined): void {
    this.#peer = peer;
    this.#onClosed = onClosed;
  }

  /** Until our FIN a close of this socket resets it. */
  unfinished(): void {
    this.#isUnfinished = true;
    setResetOnClose(this.socket, true);
  }

  received(chunk: Uint8Array): void {
    const { byteLength } = chunk;
    this.#peer.#write(chunk);
    this.restAfterLarge(byteLength);
  }

  lookAgain(): void {
    // The other side is gone, which it can't say before it is read to its end.
    if (this.#lingering === undefined && hasHungUp(this.#peer.socket)) this.#linger();
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
    const passOn = (): void => {
      if (this.#closed) return;
      this.#hasEnded = true;
      this.#peer.#finish("shutdown");
    };
    // A close comes as `end` and `close` in one turn of the event loop: only what is still open afterwards has really half-closed.
    if (this.#endsByClose) setImmediate(passOn);
    else passOn();
  }

  close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    holding.delete(this);
    clearTimeout(this.#lingering);
    if (this.#peer.#closed) return this.#onClosed?.();
    // A socket that has sent its FIN gets no `end` event any more, only this: no error means that nothing was lost.
    const isBreak = error !== undefined || this.hasThrown;
    if (!isBreak && (this.#hasEnded || !this.#endsByClose)) this.#peer.#finish("end");
    else this.#peer.socket.terminate();
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
    if (this.#closed || this.#then === "end" || this.#then === how) return;
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

/**
 * Joins an open socket to a descriptor, which this function owns from now on. Returns the end that gets `socket`'s events from now on. If
 * the descriptor can't be opened, `socket` is terminated. `onAlone` as in `pump`.
 */
function pipeTo(socket: PipeSocket, fd: number, endsByClose: boolean, onAlone?: () => void): PipeEnd {
  // Until the target is open this stands in for it: it takes nothing, so that everything waits and the source is paused.
  const late = new LateSocket();
  const { a, b } = pump(socket, late, undefined, endsByClose, onAlone);
  const options = {
    allowHalfOpen: true,
    data: b,
    socket: {
      open(opened: Socket<PipeEnd>) {
        late.open(opened);
        b.drain();
      },
      data: (s: Socket<PipeEnd>, chunk: Uint8Array) => s.data.received(chunk),
      drain: (s: Socket<PipeEnd>) => s.data.drain(),
      end: (s: Socket<PipeEnd>) => s.data.end(),
      close: (s: Socket<PipeEnd>, error?: Error) => s.data.close(error),
      error(s: Socket<PipeEnd>) {
        s.data.threw();
        s.terminate();
      },
      connectError() {},
    },
  };
  connectDescriptor({ ...options, fd }).catch((error: Error) => {
    closeDescriptor(fd);
    b.close(error);
  });
  return a;
}

/**
 * Hands over a connection that can't be moved itself (its TLS ends here, or the platform has no `dup`): the receiver gets one end of a
 * socket pair, this thread pumps between the other end and `socket`. Returns the end that gets `socket`'s events from now on;
 * null: the receiver is not there or the process is out of descriptors, and `socket` is untouched. `onAlone`: as in `pump`; who
 * received it counts it no longer.
 */
export function pipeThrough(
  socket: PipeSocket,
  meta: ConnectionMeta,
  post: PostConnection,
  onAlone?: () => void,
): PipeEnd | null {
  const pair = createPair();
  if (pair === null) return null;
  const [ours, theirs] = pair;
  // Only a reset tells an HTTP/1.0 visitor that an answer without a length is cut short; the others are told by their framing.
  const endsByClose = http10.test(meta.unread);
  if (post({ ...meta, fd: theirs })) return pipeTo(socket, ours, endsByClose, onAlone);
  closeDescriptor(theirs);
  closeDescriptor(ours);
  return null;
}
