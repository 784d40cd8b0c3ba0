// What the judge of visitors is given and what it says.

import type { ErrorCode } from "../../src/lib/errors.ts";
import type { Strip } from "../../src/policy/strip.ts";
import type { Shown } from "./shown.ts";

/** One visitor request as the judge sees it: the very bytes that would be forwarded. */
export interface VisitorRequest {
  readonly method: string;
  /** The raw request target, one character per byte. */
  readonly target: string;
  /** The target is one of `authPaths`. */
  readonly isOurs: boolean;
  /** What a browser asks on its own before it asks across origins (CORS). */
  readonly isPreflight: boolean;
  readonly shown: Shown;
  /** Canonical address of the visitor, proxies already accounted for. */
  readonly address: string;
  /** What limits per address count for this visitor; null: nothing. */
  readonly network: string | null;
  /** The visitor is a browser that would show a page (`Accept: text/html`). */
  readonly wantsHtml: boolean;
}

/** Who turned a visitor away, for the event that is audited; null when there is nothing to tell, or main has told it. */
export interface Refusal {
  /** `address_denied`, `address_blocked`, `policy_broken`, `overloaded`, or main's reason for a wrong credential. */
  rule: string;
  /** The credential that was known to be wrong. */
  credential?: { authType: "api_key" | "basic"; identity: string | null };
}

export interface Pass {
  kind: "pass";
  /** For `X-Digit-Link-User` and `-Email`: printable ASCII, or null. */
  user: string | null;
  email: string | null;
  /** Rule for `forwardedValue`, applied to every Cookie, Authorization and X-API-Key line that is forwarded. */
  strip: Strip;
}

export type Verdict =
  | Pass
  /** Answer with the error page or JSON of `code`, these headers added, body unread; `message` names the rule. */
  | {
      kind: "refuse";
      code: ErrorCode;
      headers: readonly [string, string][];
      refusal: Refusal | null;
      message?: string;
    }
  /** 302 to a path on this host, `Cache-Control: no-store`, empty body. */
  | { kind: "redirect"; location: string }
  /** The control plane answers this exchange. */
  | { kind: "relay" };
