// A strict HTTP/1.1 reader for tests, written apart from src/http1 so that it doesn't share its mistakes.

export type Field = [name: string, value: string];

export interface StrictHead {
  /** Exact bytes of the head as latin1, empty line included. */
  raw: string;
  /** Requests. */
  method: string;
  target: string;
  /** Responses. */
  status: number;
  reason: string;
  version: string;
  fields: Field[];
}

export interface StrictSink {
  /** Return "none" when no body follows whatever the head says (answers to HEAD), else undefined. */
  head(head: StrictHead): "none" | undefined;
  body(bytes: Buffer): void;
  end(trailers: Field[]): void;
  /** The bytes are no valid HTTP/1.1; nothing more is reported. */
  problem(why: string): void;
}

const fieldLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) (HTTP\/1\.[01])$/;
const statusLine = /^(HTTP\/1\.[01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;

/** Values of all fields called `name`, in order. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([one]) => one.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

type Phase = "head" | "length" | "size" | "chunk" | "chunk end" | "trailers" | "close" | "raw" | "broken";

/** Reads messages of one direction of one connection, pushed in any pieces. */
export class StrictReader {
  private unread: Buffer = Buffer.alloc(0);
  private phase: Phase = "head";
  private left = 0;
  /** While true, bytes are kept unread; push (nothing, perhaps) to go on. May be set from inside the sink. */
  paused = false;

  constructor(
    private readonly kind: "request" | "response",
    private readonly sink: StrictSink,
  ) {}

  /** A message has begun and isn't complete. */
  get inMessage(): boolean {
    return this.phase !== "raw" && (this.phase !== "head" || this.unread.length > 0);
  }

  /** From here on bytes are delivered as they come (after a 101); call it from `head`. */
  goRaw(): void {
    this.phase = "raw";
  }

  push(bytes: Buffer): void {
    this.unread = this.unread.length === 0 ? bytes : Buffer.concat([this.unread, bytes]);
    while (!this.paused && this.unread.length > 0 && this.step());
  }

  /** The connection ended cleanly: whether that was a clean end of what was being read. */
  closed(): boolean {
    if (this.phase === "close") {
      this.phase = "head";
      this.sink.end([]);
      return true;
    }
    return !this.inMessage;
  }

  /** One step; false when more bytes are needed. */
  private step(): boolean {
    switch (this.phase) {
      case "head":
        return this.readHead();
      case "length":
      case "chunk":
        this.deliver(Math.min(this.left, this.unread.length));
        if (this.left > 0) return false;
        if (this.phase === "chunk") this.phase = "chunk end";
        else this.finish([]);
        return true;
      case "size":
        return this.readSize();
      case "chunk end": {
        if (this.unread.length < 2) return false;
        if (this.take(2) !== "\r\n") return this.fail("a chunk does not end with CRLF");
        this.phase = "size";
        return true;
      }
      case "trailers":
        return this.readTrailers();
      case "close":
      case "raw":
        this.left = Infinity;
        this.deliver(this.unread.length);
        return false;
      case "broken":
        return false;
    }
  }

  private readHead(): boolean {
    const end = this.unread.indexOf("\r\n\r\n");
    if (end < 0) return this.unread.length > 256 * 1024 ? this.fail("a head never ends") : false;
    const raw = this.take(end + 4);
    const [first, ...lines] = raw.slice(0, -4).split("\r\n");
    const request = this.kind === "request" ? requestLine.exec(first!) : null;
    const status = this.kind === "response" ? statusLine.exec(first!) : null;
    if (request === null && status === null) return this.fail(`bad first line ${JSON.stringify(first)}`);
    const fields = this.parseFields(lines);
    if (fields === null) return false;
    const head: StrictHead = {
      raw,
      method: request?.[1] ?? "",
      target: request?.[2] ?? "",
      status: Number(status?.[2] ?? 0),
      reason: status?.[3] ?? "",
      version: request?.[3] ?? status![1]!,
      fields,
    };
    const lengths = valuesOf(fields, "content-length");
    const codings = valuesOf(fields, "transfer-encoding");
    if (lengths.length + codings.length > 1) return this.fail("more than one framing field");
    if (lengths.length === 1 && !/^(0|[1-9][0-9]{0,14})$/.test(lengths[0]!))
      return this.fail(`bad length ${lengths[0]}`);
    if (codings.length === 1 && codings[0] !== "chunked") return this.fail(`bad transfer coding ${codings[0]}`);
    if (request !== null && valuesOf(fields, "host").length !== 1) return this.fail("not exactly one Host");
    const interim = head.status >= 100 && head.status < 200;
    const bodiless = this.sink.head(head) === "none" || interim || head.status === 204 || head.status === 304;
    if ((this.phase as Phase) === "raw") return true;
    if (bodiless) this.finish([]);
    else if (codings.length === 1) this.phase = "size";
    else if (lengths.length === 1 && lengths[0] !== "0") this.start("length", Number(lengths[0]));
    else if (lengths.length === 0 && this.kind === "response") this.phase = "close";
    else this.finish([]);
    return true;
  }

  private readSize(): boolean {
    const end = this.unread.indexOf("\r\n");
    if (end < 0) return this.unread.length > 32 ? this.fail("a chunk size never ends") : false;
    const line = this.take(end + 2).slice(0, -2);
    if (!/^[0-9a-fA-F]{1,8}$/.test(line)) return this.fail(`bad chunk size ${JSON.stringify(line)}`);
    const size = parseInt(line, 16);
    if (size === 0) this.phase = "trailers";
    else this.start("chunk", size);
    return true;
  }

  private readTrailers(): boolean {
    const empty = this.unread.length >= 2 && this.unread.toString("latin1", 0, 2) === "\r\n";
    const end = empty ? 0 : this.unread.indexOf("\r\n\r\n");
    if (end < 0) return this.unread.length > 64 * 1024 ? this.fail("trailers never end") : false;
    const text = this.take(empty ? 2 : end + 4);
    const fields = this.parseFields(empty ? [] : text.slice(0, -4).split("\r\n"));
    if (fields === null) return false;
    this.finish(fields);
    return true;
  }

  private parseFields(lines: string[]): Field[] | null {
    const fields: Field[] = [];
    for (const line of lines) {
      const match = fieldLine.exec(line);
      if (match === null) {
        this.fail(`bad field line ${JSON.stringify(line)}`);
        return null;
      }
      fields.push([match[1]!, match[2]!]);
    }
    return fields;
  }

  private start(phase: "length" | "chunk", bytes: number): void {
    this.phase = phase;
    this.left = bytes;
  }

  private finish(trailers: Field[]): void {
    this.phase = "head";
    this.sink.end(trailers);
  }

  private deliver(bytes: number): void {
    const part = this.unread.subarray(0, bytes);
    this.unread = this.unread.subarray(bytes);
    this.left -= bytes;
    if (bytes > 0) this.sink.body(part);
  }

  private take(bytes: number): string {
    const text = this.unread.toString("latin1", 0, bytes);
    this.unread = this.unread.subarray(bytes);
    return text;
  }

  private fail(why: string): false {
    this.phase = "broken";
    this.sink.problem(why);
    return false;
  }
}
