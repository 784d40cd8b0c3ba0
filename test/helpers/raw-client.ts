// A raw TCP client for tests: bytes out in any pieces, strictly read responses in, and how the connection ended.

import { connect, type Socket } from "node:net";
import { type Field, type StrictHead, StrictReader, valuesOf } from "./strict-http.ts";

export interface RawResponse {
  status: number;
  reason: string;
  version: string;
  /** Exact head as latin1. */
  head: string;
  /** As received, duplicates and order kept. */
  fields: Field[];
  /** Empty when the response was read with `discard`. */
  body: Buffer;
  bodyBytes: number;
  /** SHA-1 of the body, hexadecimal. */
  sha1: string;
  trailers: Field[];
  /** The 1xx responses before it. */
  interim: StrictHead[];
}

/** How the server ended the connection. */
export type ConnectionEnd = "clean" | "reset";

export interface RawClientOptions {
  port: number;
  /** Default 127.0.0.1. */
  hostname?: string;
  /** Source address, for load from many: 127.0.0.x. */
  localAddress?: string;
}

export interface ResponseOptions {
  /** The request was HEAD: no body follows. */
  toHead?: boolean;
  /** Count and hash the body without keeping it. */
  discard?: boolean;
  /** Called with each piece of the body, and with each 1xx before it, when it arrives. */
  onBody?: (bytes: Buffer) => void;
  onInterim?: (head: StrictHead) => void;
  /** Default 10 s. */
  timeoutMs?: number;
}

interface Wanted {
  options: ResponseOptions;
  resolve(response: RawResponse): void;
  reject(error: Error): void;
}

/** One connection. Responses are read in the order in which they are asked for. Dispose closes it. */
export class RawClient implements Disposable {
  /** All bytes that came, as latin1, up to 1 MiB: for messages of failing tests. */
  received = "";
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<ConnectionEnd>;
  /** Bytes after a 101. */
  private raw: Buffer[] = [];
  private rawWaiter: (() => void) | null = null;
  private textWaiters: (() => void)[] = [];
  private readonly wanted: Wanted[] = [];
  private malformed: string | null = null;
  private readonly reader = new StrictReader("response", {
    head: (head) => this.onHead(head),
    body: (bytes) => this.onBody(bytes),
    end: (trailers) => this.onEnd(trailers),
    problem: (why) => {
      this.malformed = `the response is malformed: ${why}`;
      this.fail(this.malformed);
    },
  });
  private interim: StrictHead[] = [];
  private head: StrictHead | null = null;
  private parts: Buffer[] = [];
  private bodyBytes = 0;
  private hasher = new Bun.CryptoHasher("sha1");
  private upgraded = false;
  private end: ConnectionEnd | null = null;

  /** Over a socket that is connected: `open` makes one. */
  constructor(readonly socket: Socket) {
    const ended = Promise.withResolvers<ConnectionEnd>();
    this.ended = ended.promise;
    // Whether a response has a body depends on its request, so nothing is read before it is asked for.
    this.reader.paused = true;
    const finish = (end: ConnectionEnd): void => {
      if (this.end !== null) return;
      this.end = end;
      if (end === "clean" && this.wanted.length > 0) this.reader.closed();
      ended.resolve(end);
      this.rawWaiter?.();
      this.wakeTextWaiters();
      this.fail(end === "clean" ? "the connection ended before the response did" : "the connection was reset");
    };
    socket.on("data", (bytes: Buffer) => this.onData(bytes));
    socket.on("end", () => finish("clean"));
    socket.on("error", () => finish("reset"));
    socket.on("close", () => finish("reset"));
  }

  /** Connects; rejects when that fails. */
  static open(options: RawClientOptions): Promise<RawClient> {
    const { port, hostname = "127.0.0.1", localAddress } = options;
    return new Promise((resolve, reject) => {
      const socket = connect({
        port,
        host: hostname,
        allowHalfOpen: true,
        ...(localAddress === undefined ? {} : { localAddress }),
      });
      socket.setNoDelay(true);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** Sends bytes (text as latin1); resolves when the kernel took them, or when the connection is over. */
  send(bytes: string | Uint8Array): Promise<void> {
    const data = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    return new Promise((resolve) => {
      if (this.end === "reset" || this.socket.destroyed) resolve();
      else this.socket.write(data, () => resolve());
      void this.ended.then(() => resolve());
    });
  }

  /** Sends text in pieces that end at `offsets`, each in a packet of its own as far as the kernel allows. */
  async sendPieces(bytes: string, offsets: readonly number[]): Promise<void> {
    let from = 0;
    for (const to of [...offsets, bytes.length]) {
      await this.send(bytes.slice(from, to));
      await new Promise((resolve) => setImmediate(resolve));
      from = to;
    }
  }

  /** Half-closes: nothing more is sent. */
  finishSending(): void {
    this.socket.end();
  }

  /** Stops and goes on reading, as a slow visitor. */
  pause(): void {
    this.socket.pause();
  }
  resume(): void {
    this.socket.resume();
  }

  /** Resets the connection. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** The next final response. Rejects when it is malformed, cut off or late. */
  response(options: ResponseOptions = {}): Promise<RawResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<RawResponse>();
    const timeoutMs = options.timeoutMs ?? 10_000;
    const timer = setTimeout(
      () => reject(new Error(`no response in ${timeoutMs} ms; so far: ${this.excerpt()}`)),
      timeoutMs,
    );
    const stopWaiting = (): void => clearTimeout(timer);
    promise.then(stopWaiting, stopWaiting);
    this.wanted.push({ options, resolve, reject });
    this.reader.paused = false;
    this.reader.push(Buffer.alloc(0));
    if (this.end === "clean") this.reader.closed();
    if (this.malformed !== null) this.fail(this.malformed);
    else if (this.end !== null) this.fail(`the connection is over (${this.end})`);
    return promise;
  }

  /** The next `count` responses. */
  async responses(count: number, options: ResponseOptions = {}): Promise<RawResponse[]> {
    return Promise.all(Array.from({ length: count }, () => this.response(options)));
  }

  /** Waits until `text` has come (within the first MiB), whoever reads it. Rejects when the connection ends first. */
  async until(text: string): Promise<void> {
    while (!this.received.includes(text)) {
      if (this.end !== null) throw new Error(`${JSON.stringify(text)} never came; received: ${this.excerpt()}`);
      await new Promise<void>((resolve) => this.textWaiters.push(resolve));
    }
  }

  /** After a 101: waits for `bytes` raw bytes and takes them; fewer only if the connection ends. */
  async rawBytes(bytes: number): Promise<Buffer> {
    for (;;) {
      const all = Buffer.concat(this.raw);
      if (all.length >= bytes || this.end !== null) {
        this.raw = [all.subarray(bytes)];
        return all.subarray(0, bytes);
      }
      await new Promise<void>((resolve) => (this.rawWaiter = resolve));
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  private wakeTextWaiters(): void {
    for (const resolve of this.textWaiters.splice(0)) resolve();
  }

  private onData(bytes: Buffer): void {
    if (this.received.length < 1024 * 1024) this.received += bytes.toString("latin1");
    this.wakeTextWaiters();
    this.reader.push(bytes);
  }

  private onHead(head: StrictHead): "none" | undefined {
    if (head.status === 101) {
      this.upgraded = true;
      this.head = head;
      this.reader.goRaw();
      this.complete([]);
      return undefined;
    }
    if (head.status < 200) this.wanted[0]?.options.onInterim?.(head);
    if (head.status < 200) this.interim.push(head);
    else this.head = head;
    return head.status >= 200 && this.wanted[0]?.options.toHead === true ? "none" : undefined;
  }

  private onBody(bytes: Buffer): void {
    if (this.upgraded) {
      this.raw.push(bytes);
      return this.rawWaiter?.();
    }
    const options = this.wanted[0]?.options;
    this.bodyBytes += bytes.length;
    this.hasher.update(bytes);
    if (options?.discard !== true) this.parts.push(bytes);
    options?.onBody?.(bytes);
  }

  private onEnd(trailers: Field[]): void {
    if (this.head !== null) this.complete(trailers);
  }

  private complete(trailers: Field[]): void {
    const head = this.head!;
    const wanted = this.wanted.shift();
    this.reader.paused = this.wanted.length === 0 && !this.upgraded;
    wanted?.resolve({
      status: head.status,
      reason: head.reason,
      version: head.version,
      head: head.raw,
      fields: head.fields,
      body: Buffer.concat(this.parts),
      bodyBytes: this.bodyBytes,
      sha1: this.hasher.digest("hex"),
      trailers,
      interim: this.interim,
    });
    this.head = null;
    this.parts = [];
    this.interim = [];
    this.bodyBytes = 0;
    this.hasher = new Bun.CryptoHasher("sha1");
  }

  private fail(why: string): void {
    const error = new Error(`${why}; received: ${this.excerpt()}`);
    for (const { reject } of this.wanted.splice(0)) reject(error);
  }

  private excerpt(): string {
    const { received } = this;
    return JSON.stringify(received.length > 600 ? `${received.slice(0, 600)}… (${received.length} bytes)` : received);
  }
}

/** The only value of a field; throws when there is not exactly one. */
export function onlyValue(response: RawResponse, name: string): string {
  const values = valuesOf(response.fields, name);
  if (values.length !== 1) throw new Error(`${values.length} fields ${name} in ${response.head}`);
  return values[0]!;
}

/** Opens a connection, sends `bytes`, reads one response and closes. */
export async function requestOnce(
  options: RawClientOptions,
  bytes: string,
  response: ResponseOptions = {},
): Promise<RawResponse> {
  using client = await RawClient.open(options);
  const answer = client.response(response);
  await client.send(bytes);
  // Awaited here, or `using` would close the connection first.
  return await answer;
}
