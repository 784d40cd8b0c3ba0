// What the inspector's page is told (JSON).

/** A line of the list. Times in ms since 1970, durations in ms. */
export interface ExchangeSummary {
  /** Rises; the newest has the highest. */
  id: number;
  /** Public URL of the tunnel. */
  url: string;
  method: string;
  /** In the list no more than its first 1,000 characters. */
  path: string;
  startedAt: number;
  /** What the local service answered; 0: nothing yet, or nothing. */
  status: number;
  /** Until the head of the answer; null: there is none yet. */
  headMs: number | null;
  /** Null while it runs. */
  totalMs: number | null;
  bytesIn: number;
  bytesOut: number;
  /** Why there is no answer, or no whole one. */
  error: string | null;
  /** Nothing failed: nobody wanted the rest, as `error` says. */
  cancelled: boolean;
  /** It was sent again by the inspector: which one it repeats, and whether it was changed. */
  repeats: { id: number; changed: boolean } | null;
}

/** One that was just begun: of which a list tells that has this version, or a higher one. */
export type BegunExchange = ExchangeSummary & Pick<ExchangeList, "version">;

export interface ExchangeList {
  /** Of this state, for `since`. It rises with every change. */
  version: number;
  /** The newest first. */
  exchanges: ExchangeSummary[];
}

/** A field of a head. `hidden`: `value` is not the value, which lets somebody in. */
export interface Field {
  name: string;
  value: string;
  hidden: boolean;
}

export interface Body {
  /** All that passed, as it was on the wire. */
  bytes: number;
  /** How many of them are kept, from the first on. */
  kept: number;
  /** What is kept, decoded and as text; null: it is not text. */
  text: string | null;
  /** The first bytes of what is no text and has no parts, in hex. */
  hex: string | null;
  /** Of a form (multipart/form-data) that is no text as a whole; null: it is none. */
  parts: Part[] | null;
  /** What it was decoded from (`gzip`), or why it was not. */
  note: string | null;
}

/** A field or file of a form. */
export interface Part {
  name: string;
  /** Null: it is no file. */
  filename: string | null;
  /** Null: it says none. */
  type: string | null;
  bytes: number;
  /** Not all of it is there. */
  isCut: boolean;
  /** Null: it is not text. */
  text: string | null;
  /** The first bytes of what is no text, in hex. */
  hex: string | null;
}

export interface Message {
  /** Request line or status line. */
  line: string;
  fields: Field[];
  body: Body;
}

/** A WebSocket, of whose messages nothing is kept. */
export interface Socket {
  /** What came from each side: whole messages, and bytes on the wire with their frames. */
  visitor: { messages: number; bytes: number };
  service: { messages: number; bytes: number };
  /** The close frame that came first; null: none has. `code` null: it says none. */
  closed: { by: "visitor" | "service"; code: number | null; reason: string } | null;
}

export interface ExchangeDetails extends ExchangeSummary {
  /** Origin of the local service: `http://localhost:3000`. */
  local: string;
  request: Message;
  answer: Message | null;
  /** Why it can't be sent again as it was; null: it can. */
  notRepeatable: string | null;
  /** Null: it is not a WebSocket (yet). */
  socket: Socket | null;
}

/** A request in other words, to be sent instead. Its length is set by the inspector. */
export interface ChangedRequest {
  /** Request line and fields, a line each. */
  head: string;
  body: string;
}
