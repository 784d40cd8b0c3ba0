// What a session of an agent, whoever owns it, and its streams know of each other.

import type { Checked, GoAway, Registered } from "../../src/protocol/frames.ts";
import type { Refusal } from "./refusal.ts";
import type { AgentSession } from "./session.ts";

/** One stream as the session sees it. */
export interface AgentStream {
  readonly over: boolean;
  onData(bytes: Buffer, start: number, end: number): void;
  onEnd(trailers: Buffer | null): void;
  /** Over at once; `code` of RESET, `reason` for the agent's user. */
  onReset(code: number, reason: string): void;
  onWindow(bytes: number): void;
  /** Something of the answer waits to be sent. */
  readonly hasQueued: boolean;
  /** The session can take bytes again. */
  flush(): void;
}

/** What a session belongs to. */
export interface SessionOwner {
  /** The server is ready for streams on this session. */
  ready(session: AgentSession, registered: Registered): void;
  /** Makes the stream of an OPEN frame, which ends by `session.remove`; or says why there is none: the service can't be reached. */
  open(session: AgentSession, id: number, open: OpenFrame): AgentStream | string;
  check(): Promise<Checked>;
  notice(message: string): void;
  /** The server wants this session to end; `retryable` false: registering again is pointless. */
  goAway(session: AgentSession, message: GoAway): void;
  /** It is over; `refusal` when the server said why it did not begin. */
  closed(session: AgentSession, code: number, reason: string, refusal: Refusal | null): void;
}

/** An OPEN frame, its head complete: `bytes[start..end)`. */
export interface OpenFrame {
  flags: number;
  bytes: Buffer;
  start: number;
  end: number;
  responseWindow: number;
  requestWindow: number;
}
