// Generated conversations: what a visitor asks on one connection after the other, and what the local services answer, all of it from a seed.

import type { Field } from "./strict-http.ts";

/** Bytes of the pattern, and how they are framed. */
export interface PlannedBody {
  from: number;
  bytes: number;
  /** Sizes of the chunks; null where there are none. */
  chunks: number[] | null;
  extension: string;
  trailers: Field[];
}

export interface PlannedAnswer {
  /** Lines of 1xx answers before it. */
  interim: string[];
  minor: 0 | 1;
  status: number;
  reason: string;
  fields: Field[];
  framing: "length" | "chunked" | "close" | "none";
  body: PlannedBody;
  /** Before the request's body has been read; "deaf": which never is. */
  when: "last" | "early" | "deaf";
  /** Behind how much of its body it breaks off; -1 is before its head. */
  breaks: { at: number; how: "reset" | "close" } | null;
  closes: boolean;
  /** Its connection closes behind it, or in place of the next answer, and nothing says so. */
  quits: boolean;
  /** In how many pieces it is written. */
  pieces: number;
}

export interface Ask {
  id: string;
  host: string;
  /** Whose service answers; null: the server itself does. */
  tag: string | null;
  method: string;
  target: string;
  minor: 0 | 1;
  fields: Field[];
  /** The API key that it shows; "" for none. */
  key: string;
  /** What the visitor says of its connection. */
  connection: "close" | "keep-alive" | "";
  expects: boolean;
  /** Bytes behind the 101 that it asks for. */
  raw: PlannedBody | null;
  body: PlannedBody | null;
  answer: PlannedAnswer;
}

export interface Conversation {
  seed: number;
  /** Each of them is sent at once. */
  groups: Ask[][];
  /** In how many pieces groups are sent. */
  pieces: number;
  readsSlowly: boolean;
  halfCloses: boolean;
  /** The visitor leaves behind this part of what its last group would send. */
  leaves: { part: number; how: "reset" | "close" } | null;
}

/** 0 ≤ x < 1, the same for the same seed (mulberry32). */
export type Chance = () => number;

export function chanceOf(seed: number): Chance {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A service that leaves without a word, and is only asked what can be asked again. */
export const moodyTag = "moody";
/** One whose visitors need an API key. */
export const guardedTag = "guarded";
export const tags = ["ant", "bee", "cat", "dog", moodyTag, guardedTag] as const;
export const unknownHost = "nobody-has-this.localhost";

const safe = ["GET", "HEAD", "OPTIONS"];
const methods = [...safe, "GET", "POST", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "M-SEARCH"];
const statuses = [200, 200, 200, 200, 201, 206, 302, 404, 418, 500, 503, 204, 304];
const suffixes = ["", "?", "?a=%2e%2e/..//b&c", "/../%2e%2e//x;y=%C3%A4|", "/'\"<>{}^`[]?x?y"];
const values = ["", "1", "a, b", "\xe4\xff\x80", "x \t y", '"q;=,"', "v".repeat(900)];
const names = ["X-A", "x-b", "X_C", "Cookie", "Accept", "!#$%&'*+.^`|~", "Authorization"];
const answerNames = ["X-A", "x-b", "Set-Cookie", "ETag", "Vary", "Content-Type", "Server"];
const hints = "103 Early Hints\r\nLink: </a>; rel=preload";
const interims = [hints, "102 Processing", "100 Continue", "199 Odd\r\nX-A: 1\r\nX-A: 2"];

/** The conversation of a seed with the services behind `TAG.localhost`; `keys` open the guarded one. */
export function planConversation(seed: number, keys: readonly string[]): Conversation {
  const chance = chanceOf(seed);
  const is = (part: number): boolean => chance() < part;
  const below = (n: number): number => Math.floor(chance() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const several = <T>(most: number, part: number, one: () => T): T[] =>
    Array.from({ length: is(part) ? 1 + below(most) : 0 }, one);

  function fields(from: readonly string[]): Field[] {
    const most = is(0.03) ? 120 : 5;
    const list = several(most, 0.6, (): Field => [pick(from), pick(values).slice(0, 9_000 / most)]);
    // More than a frame holds, together with the rest.
    return is(0.03) ? [...list, ["X-Large", "w".repeat(below(52_000))]] : list;
  }

  function body(isChunked: boolean): PlannedBody {
    const bytes = below(pick([1, 10, 1_000, 1_000, 20_000, 70_000, 300_000, is(0.2) ? 2_097_152 : 70_000]));
    const chunks: number[] = [];
    const most = Math.max(1, pick([bytes, bytes / 3, bytes / 40]));
    for (let left = bytes; left > 0; left -= chunks.at(-1)!) chunks.push(Math.min(left, 1 + below(most)));
    const trailers: Field[] = [["X-T", pick(values)], ["x-sum", String(bytes)]]; // prettier-ignore
    return {
      ...{ from: below(60_000), bytes, chunks: isChunked ? chunks : null },
      extension: is(0.2) ? ';a=b;c="d e"' : "",
      trailers: isChunked && is(0.3) ? trailers : [],
    };
  }

  function answer({ method, tag, body: request }: Pick<Ask, "method" | "tag" | "body">): PlannedAnswer {
    const status = pick(statuses);
    const when = request !== null && is(0.15) ? pick(["early", "deaf"] as const) : "last";
    const wanted = pick(["length", "length", "length", "chunked", "chunked", "close"] as const);
    // A close while the request still comes is a reset.
    const framing = when !== "last" && wanted === "close" ? "length" : wanted;
    const bare = method === "HEAD" || status === 204 || status === 304;
    const planned = body(framing === "chunked");
    const how = pick(["reset", "close"] as const);
    const hasNoMiddle = bare || planned.bytes === 0 || (framing === "close" && how === "close");
    return {
      interim: several(3, 0.15, () => pick(interims)),
      minor: framing !== "chunked" && is(0.1) ? 0 : 1,
      status,
      reason: pick(["OK", "", "Very \xfc Good"]),
      fields: fields(answerNames),
      framing: bare && (framing === "close" || status === 204) ? "none" : framing,
      body: planned,
      when,
      breaks: is(0.08) ? { at: hasNoMiddle || is(0.3) ? -1 : below(planned.bytes), how } : null,
      closes: when === "deaf" || is(0.15),
      quits: tag === moodyTag && is(0.4),
      pieces: pick([1, 1, 2, 5, 20]),
    };
  }

  function ask(id: string): Ask {
    const tag = is(0.06) ? null : pick(tags);
    const isBase = tag === null && is(0.5);
    const host = tag !== null ? `${tag}.localhost` : isBase ? "localhost" : unknownHost;
    const isMoody = tag === moodyTag;
    const raw = tag !== null && !isMoody && is(0.05) ? body(false) : null;
    const method = raw !== null || isBase ? "GET" : pick(isMoody ? safe : methods);
    const mayHaveBody = raw === null && !isBase && !isMoody;
    const request = mayHaveBody && is(/^P[OUA]/.test(method) ? 0.95 : 0.05) ? body(is(0.4)) : null;
    return {
      ...{ id, host, tag, method, raw, body: request },
      target: isBase ? "/live" : `/plan/${id}${pick(suffixes)}`,
      minor: raw === null && request?.chunks == null && is(0.12) ? 0 : 1,
      fields: fields(names),
      key: tag === guardedTag ? pick(keys) : "",
      connection: raw === null ? pick(["", "", "", "", "", "keep-alive", "close"]) : "",
      expects: request !== null && tag !== null && is(0.15),
      answer: answer({ method, tag, body: request }),
    };
  }

  const groups: Ask[][] = [];
  let count = 0;
  for (let left = 1 + below(8); left > 0; left -= groups.at(-1)!.length) {
    const group: Ask[] = [];
    const most = is(0.5) ? 1 : 1 + below(4);
    do group.push(ask(`${seed}-${count++}`));
    while (group.length < most && !isLast(group.at(-1)!));
    groups.push(group);
  }
  return {
    ...{ seed, groups, pieces: pick([1, 1, 2, 6, 30]), readsSlowly: is(0.15), halfCloses: is(0.15) },
    leaves: is(0.1) ? { part: is(0.5) ? 1 : chance(), how: pick(["reset", "close"] as const) } : null,
  };
}

/** Whether the visitor itself has said that nothing follows, or must wait for its answer. */
function isLast({ expects, raw, minor, connection }: Ask): boolean {
  return expects || raw !== null || connection === "close" || (minor === 0 && connection === "");
}

/** Whether the request may be sent to a service more than once. */
export function mayRepeat({ method, body }: Ask): boolean {
  return safe.includes(method) && (body === null || (body.bytes === 0 && body.chunks === null));
}

/** Whether its answer has no body, whatever the head says. */
export function isBare({ method, answer: { status } }: Ask): boolean {
  return method === "HEAD" || status === 204 || status === 304;
}

/** Whether it is answered with a 101, and all bytes behind it come back. */
export function switches({ raw, answer: { status } }: Ask): boolean {
  return raw !== null && status === 200;
}
