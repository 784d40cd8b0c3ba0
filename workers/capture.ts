// The last requests of a tunnel, kept as the bytes of their heads and read only when somebody asks.

import { Head } from "../src/http1/head.ts";
import { copyBytes } from "../src/lib/bytes.ts";
import { requestIdOf } from "../src/lib/request-id.ts";
import { secretName } from "../src/lib/secret-names.ts";
import type { Visitor } from "../src/ingress/forwarded.ts";
import type { CapturedRequest, NameEntry } from "../src/link/messages.ts";
import type { Pass } from "./policy/verdict.ts";

/** Memory for heads that all rings of a thread share. */
export class CaptureBudget {
  private used = 0;
  constructor(private readonly maxBytes: number) {}

  take(bytes: number): boolean {
    if (this.used + bytes > this.maxBytes) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** A visitor's request as it is known when its stream is made: for whose name, whose it is, and what it passed with. */
export interface Visit {
  /** See `requestIdOf`. */
  request: number;
  /** As it was then: a change makes another one. */
  entry: Pick<NameEntry, "name" | "appId" | "orgId">;
  tunnelId: string;
  visitor: Pick<Visitor, "address">;
  pass: Pick<Pass, "email" | "user">;
  repeatable: boolean;
  /** `performance.now()` when the head was routed, and when the policy had judged. */
  startedAt: number;
  judgedAt: number;
}

const firstArenaBytes = 32 * 1024;
const maxArenaBytes = 512 * 1024;
/** Fields that hold an address, perhaps with a query. */
const urlName = /^(?:referer|location|content-location|refresh)$/i;
const head = new Head();

/** One request; its stream fills it in as it goes. */
export class CaptureEntry {
  status = 0;
  bytesIn = 0;
  bytesOut = 0;
  openedAt = 0;
  headAt = 0;
  endedAt = 0;
  localMs = 0;
  error: string | null = null;
  requestAt = -1;
  requestBytes = 0;
  responseAt = -1;
  responseBytes = 0;

  constructor(
    private readonly ring: CaptureRing,
    readonly visit: Visit,
  ) {}

  get id(): string {
    return requestIdOf(this.visit.request);
  }

  get startedAtMs(): number {
    return Math.round(performance.timeOrigin + this.visit.startedAt);
  }

  get repeatable(): boolean {
    return this.visit.repeatable;
  }

  get running(): boolean {
    return this.endedAt === 0;
  }

  /** Until now, while it runs. */
  get totalMs(): number {
    return round((this.endedAt || performance.now()) - this.visit.startedAt);
  }

  get name(): string {
    return this.visit.entry.name;
  }

  get address(): string {
    return this.visit.visitor.address;
  }

  get principal(): string | null {
    const { email, user } = this.visit.pass;
    // A provider's subject is often a number that nobody knows.
    return email ?? user;
  }

  /** The response head arrived. */
  head(bytes: Buffer, start: number, end: number, status: number, now: number, localMicros: number): void {
    this.status = status;
    this.headAt = now;
    this.localMs = localMicros / 1_000;
    this.responseAt = this.ring.store(bytes, start, end);
    this.responseBytes = end - start;
  }

  /** The request head as it went to the agent; null when it is no longer kept. */
  requestHead(): Buffer | null {
    return this.ring.load(this.requestAt, this.requestBytes);
  }

  /** Method and path as they may be shown; empty when the head is no longer kept. */
  line(logQuery: boolean): { method: string; path: string } {
    const request = this.requestHead();
    if (request === null) return { method: "", path: "" };
    // We read and wrote this head: its two words need no grammar, and a search takes them from every one.
    const [method = "", target = ""] = request.toString("latin1", 0, request.indexOf(13)).split(" ", 2);
    return { method, path: logQuery ? target : target.split("?", 1)[0]! };
  }

  /** What the dashboard shows. `logQuery`: with the query string. */
  toRequest(logQuery: boolean): CapturedRequest {
    const { visit } = this;
    const end = this.endedAt || performance.now();
    const opened = this.openedAt || end;
    const headAt = this.headAt || end;
    // Without an answer nobody knows how long the tunnel took; it is the local service that is waited for.
    const localMs = this.headAt === 0 ? headAt - opened : this.localMs;
    const request = this.requestHead();
    const response = this.ring.load(this.responseAt, this.responseBytes);
    const line = this.line(logQuery);
    const requestHeaders =
      request !== null && head.parseRequest(request, 0, request.length) > 0 ? headers(logQuery) : [];
    const responseHeaders =
      response !== null && head.parseResponse(response, 0, response.length) > 0 ? headers(logQuery) : [];
    const { id, name, address, principal, startedAtMs, running, status, bytesIn, bytesOut, totalMs } = this;
    const { tunnelId, entry } = visit;
    const { appId, orgId } = entry;
    return {
      ...{ id, tunnelId, name, appId, orgId, address, principal, ...line, requestHeaders, responseHeaders },
      ...{ startedAtMs, running, status, bytesIn, bytesOut, totalMs },
      policyMs: round(visit.judgedAt - visit.startedAt),
      queueMs: round(opened - visit.judgedAt),
      tunnelMs: round(Math.max(0, headAt - opened - localMs)),
      localMs: round(localMs),
      error: this.error,
    };
  }
}

/** A ring of entries and the arena that holds their heads. */
export class CaptureRing {
  private readonly entries: CaptureEntry[] = [];
  private next = 0;
  private arena: Buffer | null = null;
  /** Bytes ever written; the arena holds the last of them. */
  private written = 0;
  /** Where the next ones go: `written` modulo its size. */
  private offset = 0;
  private closed = false;

  constructor(
    private readonly maxEntries: number,
    private readonly budget: CaptureBudget,
  ) {}

  /** Starts an entry with the request head `bytes[0..length)`. */
  begin(visit: Visit, bytes: Buffer, length: number): CaptureEntry {
    const entry = new CaptureEntry(this, visit);
    entry.requestAt = this.store(bytes, 0, length);
    entry.requestBytes = length;
    if (this.maxEntries > 0 && !this.closed) {
      this.entries[this.next] = entry;
      this.next = (this.next + 1) % this.maxEntries;
    }
    return entry;
  }

  /** Newest first. */
  newest(limit = Infinity): CaptureEntry[] {
    const count = this.entries.length;
    const found: CaptureEntry[] = [];
    for (let i = 1; i <= Math.min(limit, count); i++) found.push(this.entries[(this.next - i + count) % count]!);
    return found;
  }

  /** Copies bytes in; -1 when they don't fit at all. */
  store(bytes: Buffer, start: number, end: number): number {
    if (this.closed) return -1;
    const length = end - start;
    let { arena } = this;
    if (arena === null || (this.written + length > arena.length && arena.length < maxArenaBytes))
      arena = this.grow(length);
    if (arena === null || length > arena.length) return -1;
    if (this.offset + length > arena.length) {
      this.written += arena.length - this.offset;
      this.offset = 0;
    }
    const at = this.written;
    this.offset = copyBytes(bytes, start, end, arena, this.offset);
    this.written = at + length;
    return at;
  }

  load(at: number, length: number): Buffer | null {
    const { arena } = this;
    if (arena === null || at < 0 || this.written - at > arena.length) return null;
    const offset = at % arena.length;
    return arena.subarray(offset, offset + length);
  }

  /** Gives the memory back. Streams may still hold entries: these keep nothing from here on. */
  close(): void {
    this.closed = true;
    if (this.arena !== null) this.budget.give(this.arena.length);
    this.arena = null;
    this.entries.length = 0;
  }

  /** A larger arena with the same content; possible only while nothing has been overwritten. */
  private grow(needed: number): Buffer | null {
    const old = this.arena;
    if (old !== null && this.written > old.length) return old;
    let size = old === null ? firstArenaBytes : old.length * 2;
    while (size < Math.min(needed + this.written, maxArenaBytes)) size *= 2;
    if (!this.budget.take(size - (old?.length ?? 0))) return old;
    const arena = Buffer.alloc(size);
    old?.copy(arena, 0, 0, this.written);
    this.arena = arena;
    return arena;
  }
}

function headers(logQuery: boolean): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i < head.count; i++) {
    const name = head.bytes.subarray(head.nameStart[i]!, head.nameEnd[i]!);
    const text = Buffer.from(name).toString("latin1");
    const value = head.value(i);
    if (secretName.test(text)) list.push([text, `(hidden, ${value.length} characters)`]);
    else list.push([text, logQuery || !urlName.test(text) ? value : value.replace(/([?#]).*/, "$1(hidden)")]);
  }
  return list;
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
