// A raw local service for tests: scripted per path, recording the exact bytes of every request it gets.

import type { Socket } from "bun";
import { scripts } from "./local-answers.ts";
import { type Field, type StrictHead, StrictReader } from "./strict-http.ts";

/** One request as it arrived. */
export interface RecordedRequest extends StrictHead {
  bodyBytes: number;
  /** SHA-1 of the body, hexadecimal; set when the request is complete. */
  sha1: string;
  /** The first 64 KiB of the body as latin1. */
  bodyText: string;
  trailers: Field[];
  /** All of it arrived. */
  complete: boolean;
  /** Number of its connection, from 1. */
  connection: number;
  /** Resolves when its connection has ended. */
  closed: Promise<void>;
}

/** A server-sent event stream under the test's control. */
export interface EventStream {
  request: RecordedRequest;
  /** Writes one event; resolves when the kernel took it. */
  send(data: string): Promise<void>;
  /** Ends the response cleanly. */
  end(): Promise<void>;
}

/** What a script works with: one request and its answer. */
export interface LocalExchange {
  request: RecordedRequest;
  /** Hands an event stream to the test that asks `events(name)`. */
  giveEvents(name: string, stream: EventStream): void;
  /** Resolves when the whole request has arrived. */
  bodyDone: Promise<void>;
  /** Sends bytes (text as latin1); resolves when the kernel took them, rejects when the connection is gone. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** Hears body bytes from now on; while a promise it returned is open, nothing more is read. */
  onBody(listener: (bytes: Buffer) => Promise<void> | void): void;
  /** Closes cleanly behind what was written. */
  close(): void;
  /** Resets the connection. */
  reset(): void;
  /** After a 101 was written: hands raw bytes to `onBody`, and tells of the peer's half-close. */
  goRaw(ended: () => void): void;
}

export interface LocalService extends Disposable {
  readonly port: number;
  /** In the order in which their heads came. */
  readonly requests: RecordedRequest[];
  /** What was wrong with the bytes that came: must stay empty, whatever visitors send. */
  readonly problems: string[];
  readonly openConnections: number;
  /** The next request (from now on, or already here and not yet asked for) whose target starts with `prefix`. */
  next(prefix: string): Promise<RecordedRequest>;
  /** The event stream that a request for `/sse/NAME` opened or will open. */
  events(name: string): Promise<EventStream>;
}

const keptBodyBytes = 64 * 1024;

/** A table of values that one side gives and the other waits for, by key. */
class Meetings<T> {
  private readonly table = new Map<string, PromiseWithResolvers<T>>();

  at(key: string): PromiseWithResolvers<T> {
    let meeting = this.table.get(key);
    if (meeting === undefined) this.table.set(key, (meeting = Promise.withResolvers<T>()));
    return meeting;
  }
}

/** Starts a service on a free port of 127.0.0.1 (or of `hostname`). `heard` gets each request when its head is there, and when it is complete. */
export function startLocalService(
  hostname = "127.0.0.1",
  port = 0,
  heard: (request: RecordedRequest) => void = () => {},
): LocalService {
  const requests: RecordedRequest[] = [];
  const problems: string[] = [];
  const asked = new Set<RecordedRequest>();
  const waiters: { prefix: string; resolve(request: RecordedRequest): void }[] = [];
  const streams = new Meetings<EventStream>();
  let open = 0;
  let connections = 0;

  const recorder: Recorder = {
    problem: (why) => problems.push(why),
    giveEvents: (name, stream) => streams.at(name).resolve(stream),
    complete: heard,
    request(request) {
      heard(request);
      requests.push(request);
      const at = waiters.findIndex(({ prefix }) => request.target.startsWith(prefix));
      if (at < 0) return;
      asked.add(request);
      waiters.splice(at, 1)[0]!.resolve(request);
    },
  };

  const listener = Bun.listen<Connection>({
    hostname,
    port,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        open++;
        socket.data = new Connection(socket, ++connections, recorder);
      },
      data: (socket, bytes) => socket.data.received(bytes),
      drain: (socket) => socket.data.drained(),
      end: (socket) => socket.data.ended(),
      close(socket) {
        open--;
        socket.data.closed();
      },
      error: (socket) => void socket.terminate(),
    },
  });

  return {
    port: listener.port,
    requests,
    problems,
    get openConnections() {
      return open;
    },
    next(prefix) {
      const here = requests.find((request) => request.target.startsWith(prefix) && !asked.has(request));
      if (here !== undefined) {
        asked.add(here);
        return Promise.resolve(here);
      }
      return new Promise((resolve) => waiters.push({ prefix, resolve }));
    },
    events: (name) => streams.at(name).promise,
    [Symbol.dispose]: () => listener.stop(true),
  };
}

/** What a connection tells its service. */
interface Recorder {
  problem(why: string): void;
  request(request: RecordedRequest): void;
  complete(request: RecordedRequest): void;
  giveEvents(name: string, stream: EventStream): void;
}

class Connection {
  private readonly gone = Promise.withResolvers<void>();
  private unsent: Buffer[] = [];
  private waiting: PromiseWithResolvers<void>[] = [];
  private isClosed = false;
  private closing = false;
  private answering = false;
  private answered = false;
  private request: RecordedRequest | null = null;
  private hasher = new Bun.CryptoHasher("sha1");
  private bodyDone = Promise.withResolvers<void>();
  private listener: ((bytes: Buffer) => Promise<void> | void) | null = null;
  private rawEnded: (() => void) | null = null;
  private readonly reader: StrictReader;

  constructor(
    private readonly socket: Socket<Connection>,
    private readonly number: number,
    private readonly recorder: Recorder,
  ) {
    this.reader = new StrictReader("request", {
      head: (head) => this.onHead(head),
      body: (bytes) => this.onBody(bytes),
      end: (trailers) => this.onEnd(trailers),
      problem: (why) => this.recorder.problem(why),
    });
  }

  received(bytes: Buffer): void {
    this.reader.push(Buffer.from(bytes));
  }

  drained(): void {
    while (this.unsent.length > 0) {
      const first = this.unsent[0]!;
      const sent = this.socket.write(first);
      if (sent < first.length) {
        this.unsent[0] = first.subarray(Math.max(0, sent));
        return;
      }
      this.unsent.shift();
    }
    for (const { resolve } of this.waiting.splice(0)) resolve();
    if (this.closing) this.socket.end();
  }

  ended(): void {
    if (this.rawEnded !== null) this.rawEnded();
    else this.close();
  }

  closed(): void {
    this.isClosed = true;
    this.gone.resolve();
    for (const { reject } of this.waiting.splice(0)) reject(new Error("the peer closed the connection"));
  }

  private onHead(head: StrictHead): undefined {
    if (this.answering) this.recorder.problem(`a request before the last one was answered: ${head.raw}`);
    this.answering = true;
    this.answered = false;
    this.hasher = new Bun.CryptoHasher("sha1");
    this.bodyDone = Promise.withResolvers<void>();
    this.listener = null;
    this.request = {
      ...head,
      bodyBytes: 0,
      sha1: "",
      bodyText: "",
      trailers: [],
      complete: false,
      connection: this.number,
      closed: this.gone.promise,
    };
    this.recorder.request(this.request);
    void this.run(this.request);
  }

  private async run(request: RecordedRequest): Promise<void> {
    const [path, query = ""] = request.target.split("?", 2) as [string, string?];
    const name = path.split("/")[1] ?? "";
    const script = scripts[name] ?? scripts.ok!;
    try {
      await script(this.exchange(request), path.slice(name.length + 2), new URLSearchParams(query));
      this.answered = true;
      if (request.complete) this.answering = false;
    } catch (error) {
      // A visitor who left closes the connection under a script; anything else is a fault of the test's own code.
      if (!this.isClosed) this.recorder.problem(`the script for ${request.target} failed: ${String(error)}`);
    }
  }

  private exchange(request: RecordedRequest): LocalExchange {
    return {
      request,
      giveEvents: (name, stream) => this.recorder.giveEvents(name, stream),
      bodyDone: this.bodyDone.promise,
      write: (bytes) => this.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : Buffer.from(bytes)),
      onBody: (listener) => (this.listener = listener),
      close: () => this.close(),
      reset: () => void this.socket.terminate(),
      goRaw: (ended) => {
        this.rawEnded = ended;
        this.reader.goRaw();
      },
    };
  }

  private onBody(bytes: Buffer): void {
    const request = this.request!;
    if (this.rawEnded === null) {
      request.bodyBytes += bytes.length;
      this.hasher.update(bytes);
      if (request.bodyText.length < keptBodyBytes)
        request.bodyText += bytes.toString("latin1", 0, keptBodyBytes - request.bodyText.length);
    }
    const busy = this.listener?.(bytes);
    if (!(busy instanceof Promise)) return;
    this.socket.pause();
    const goOn = (): void => void (this.isClosed || this.socket.resume());
    busy.then(goOn, goOn);
  }

  private onEnd(trailers: Field[]): void {
    const request = this.request!;
    request.trailers = trailers;
    request.sha1 = this.hasher.digest("hex");
    request.complete = true;
    if (this.answered) this.answering = false;
    this.recorder.complete(request);
    this.bodyDone.resolve();
  }

  private write(bytes: Buffer): Promise<void> {
    if (this.isClosed) return Promise.reject(new Error("the peer closed the connection"));
    const sent = this.unsent.length > 0 ? 0 : Math.max(0, this.socket.write(bytes));
    if (sent === bytes.length) return Promise.resolve();
    this.unsent.push(bytes.subarray(sent));
    const waiting = Promise.withResolvers<void>();
    this.waiting.push(waiting);
    return waiting.promise;
  }

  private close(): void {
    this.closing = true;
    if (this.unsent.length === 0) this.socket.end();
  }
}
