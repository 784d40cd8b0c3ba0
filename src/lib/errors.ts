// The one catalogue of refusals: a code, its HTTP status, one sentence, and whether trying again can help.

/** What a border (API, error page, close code, CLI) needs to know about a code. */
interface ErrorSpec {
  readonly status: number;
  /** One sentence for people: what happened and, where it helps, what to do. */
  readonly message: string;
  /** Whether the same request may succeed later without anybody changing anything. */
  readonly retryable: boolean;
}

const spec = (status: number, message: string, retryable = false): ErrorSpec => ({ status, message, retryable });

/** Every code that leaves the program, in any direction. */
export const errorCatalogue = {
  // The wire (RFC 9110/9112).
  bad_request: spec(400, "The request is malformed."),
  payload_too_large: spec(413, "The request body is larger than this server accepts."),
  head_too_large: spec(431, "The request line and headers are larger than this server accepts."),
  method_not_allowed: spec(405, "This method is not allowed here."),
  request_timeout: spec(408, "The request did not arrive in time."),
  unsupported_media_type: spec(415, "Send the request body as application/json."),
  misdirected: spec(421, "This host is not served here."),
  too_many_connections: spec(503, "The server has as many connections as it may hold. Try again in a moment.", true),
  internal: spec(500, "Something went wrong on the server. The request id tells the operator where to look.", true),
  unavailable: spec(503, "The server is not ready. Try again in a moment.", true),
  // Tunnels, as a visitor sees them.
  tunnel_not_found: spec(404, "There is no tunnel with this name."),
  tunnel_offline: spec(503, "The agent that serves this name is not connected. Try again in a moment.", true),
  tunnel_overloaded: spec(
    503,
    "This tunnel has as many requests in flight as it may hold. Try again in a moment.",
    true,
  ),
  local_unreachable: spec(502, "The agent is connected, but the local service behind it could not be reached.", true),
  local_failed: spec(502, "The local service closed the connection or sent an answer that is not valid HTTP.", true),
  interim_unread: spec(502, "The local service sent more interim (1xx) answers than this connection has read."),
  local_timeout: spec(504, "The local service did not answer in time.", true),
  loop_detected: spec(
    508,
    "The request came back to the server that had forwarded it: what the agent forwards to is this server, or leads to it.",
  ),
  // Registration, as an agent sees it.
  bad_token: spec(401, "The token or API key is not valid: it was mistyped, revoked or replaced."),
  account_inactive: spec(403, "The account is deactivated. Ask an administrator to activate it."),
  not_whitelisted: spec(403, "This address may not open tunnels: no whitelist that applies contains it."),
  invalid_name: spec(400, "A name is 1 to 63 of a-z, 0-9 and -, and neither starts nor ends with -."),
  name_reserved: spec(403, "This name is reserved: choose another one."),
  name_taken: spec(409, "This name belongs to somebody else: choose another one."),
  name_in_use: spec(409, "Another agent of your account serves this name: stop it, or start both with --pool."),
  pool_needs_name: spec(400, "--pool needs --subdomain NAME: the name that the agents share."),
  application_forbidden: spec(403, "This name is an application's, and the credential may not serve it."),
  scope_forbidden: spec(403, "This API key is not for opening tunnels."),
  quota_exceeded: spec(429, "No more tunnels are allowed for this credential.", true),
  version_unsupported: spec(426, "This agent is too old for the server. Update it and try again."),
  protocol_unavailable: spec(400, "This server has no TCP ports to give (TCP_PORTS is not set)."),
  port_unavailable: spec(400, "This port is none of this server's TCP ports."),
  port_not_open: spec(503, "This port can't be opened on the server now. Try again later.", true),
  ports_exhausted: spec(503, "All TCP ports of this server are taken. Try again later.", true),
  bad_ticket: spec(403, "The session ticket is unknown, used or expired. Register again.", true),
  replaced: spec(
    409,
    "This tunnel was started again for the same local port: the newer agent serves it now, and this one ends.",
  ),
  // Accounts, dashboard, API.
  unauthorized: spec(401, "Log in first."),
  bad_credentials: spec(401, "The username or password is wrong."),
  bad_code: spec(401, "The code is wrong, expired or was used already."),
  forbidden: spec(403, "You may not do this."),
  not_found: spec(404, "There is nothing here."),
  conflict: spec(409, "This already exists."),
  validation: spec(422, "The request has a field that is not valid."),
  rate_limited: spec(429, "Too many failed attempts. Try again later.", true),
  totp_required: spec(403, "Set up two-factor authentication first."),
  setup_done: spec(409, "This server is already set up."),
  csrf: spec(403, "This request did not come from the dashboard itself."),
  audit_unavailable: spec(503, "The audit log cannot be written, so nothing was changed. Try again later.", true),
  policy_denied: spec(403, "The policy of this application does not let you in."),
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof errorCatalogue;

/** The sentence of `not_whitelisted` for an agent at `address`, in canonical form. */
export function notAllowed(address: string): string {
  return `Agents may not connect from ${address}. An administrator allows it in the dashboard or with: digit-link whitelist add ${address}`;
}

/** The body of every error answer. `field` names the input a `validation` error is about. */
export interface ErrorBody {
  error: {
    code: ErrorCode;
    message: string;
    requestId?: string;
    field?: string;
    retryable?: boolean;
    retryAfterMs?: number;
  };
}

/** A refusal that travels as an exception to the border that maps it. `message` is always safe to show. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  /** Milliseconds until trying again makes sense, when known. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    message?: string,
    options: { field?: string; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message ?? errorCatalogue[code].message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }

  /** The JSON body for this refusal. */
  toBody(requestId?: string): ErrorBody {
    return {
      error: {
        code: this.code,
        message: this.message,
        ...(requestId === undefined ? {} : { requestId }),
        ...(this.field === undefined ? {} : { field: this.field }),
      },
    };
  }
}
