// The one place that speaks HTTP: JSON calls, typed failures, and a pause for logging in again when the session ran out.

/** A refusal or failure of a call. `code` is the server's, or `network` when no answer came, or `unreadable`. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | null;
  readonly requestId: string | null;
  /** When the server lets one try again, by this browser's clock; null when it does not say. */
  readonly retryAtMs: number | null;

  constructor(
    status: number,
    code: string,
    message: string,
    extra: { field?: string | null; requestId?: string | null; retryAtMs?: number | null; cause?: unknown } = {},
  ) {
    super(message, { cause: extra.cause });
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.field = extra.field ?? null;
    this.requestId = extra.requestId ?? null;
    this.retryAtMs = extra.retryAtMs ?? null;
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface CallOptions {
  body?: unknown;
  query?: Query;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  /** A 401 is an answer here (login, what a page fetches again by itself): nobody is asked to log in. */
  quiet?: boolean;
}

let askToLogIn: (() => Promise<boolean>) | null = null;
let tellTotpRequired: (() => void) | null = null;

/** Registers what happens when the account has to enrol a second factor before it may do anything else. */
export function onTotpRequired(handler: () => void): void {
  tellTotpRequired = handler;
}

/** Registers what happens on a 401: resolves true once somebody logged in again, false when they declined. */
export function onSessionExpired(handler: () => Promise<boolean>): void {
  askToLogIn = handler;
}

/** Appends the parameters that have a value. */
export function withQuery(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") params.set(name, String(value));
  }
  const text = params.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** Reads the error answer, with this body, of any border of the server. */
export function readError(response: Response, text: string): ApiError {
  const retryAfter = Number(response.headers.get("retry-after"));
  const retryAtMs = Number.isFinite(retryAfter) && retryAfter > 0 ? Date.now() + retryAfter * 1000 : null;
  const error = parseJson(text)?.["error"];
  if (typeof error === "object" && error !== null && "message" in error) {
    const body = error as { code?: string; message: string; field?: string; requestId?: string };
    return new ApiError(response.status, body.code ?? "unknown", body.message, { ...body, retryAtMs });
  }
  return new ApiError(response.status, "unknown", `The server answered ${response.status} ${response.statusText}.`, {
    requestId: response.headers.get("x-request-id"),
    retryAtMs,
  });
}

function parseJson(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    // Not JSON: the caller describes the answer by its status.
    return null;
  }
}

/**
 * Calls the API. Resolves with the parsed answer, rejects with ApiError (or the AbortError of `signal`). A 401 waits until
 * somebody logged in again and then repeats the call once: the server refused it before doing anything.
 */
export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const send = async () => {
    try {
      const response = await fetch(withQuery(path, options.query), {
        method,
        credentials: "same-origin",
        cache: "no-store",
        headers: {
          accept: "application/json",
          ...options.headers,
          ...(options.body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      return { response, text: await response.text() };
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
      throw new ApiError(0, "network", "The server could not be reached. Check your connection and try again.", {
        cause,
      });
    }
  };

  let { response, text } = await send();
  if (!response.ok) {
    const refusal = readError(response, text);
    if (refusal.code === "totp_required") tellTotpRequired?.();
    // Wrong passwords and codes are 401 as well; only this code says that nobody is logged in.
    const expired = refusal.code === "unauthorized" && options.quiet !== true;
    if (!expired || askToLogIn === null || !(await askToLogIn())) throw refusal;
    ({ response, text } = await send());
    if (!response.ok) throw readError(response, text);
  }
  if (text === "") return undefined as T;
  const value = parseJson(text);
  if (value === null) throw new ApiError(response.status, "unreadable", "The server sent an answer that is not JSON.");
  return value as T;
}

/** How something is read: until `signal`, and whether anybody waits for it. */
export type Reading = Pick<CallOptions, "signal" | "quiet">;

export const get = <T>(path: string, query: Query = {}, reading: Reading = {}): Promise<T> =>
  call<T>("GET", path, { query, ...reading });
/** POST with a JSON body; the server takes nothing but JSON, so an empty call sends `{}`. */
export const post = <T>(path: string, body: unknown = {}): Promise<T> => call<T>("POST", path, { body });
export const put = <T>(path: string, body: unknown = {}): Promise<T> => call<T>("PUT", path, { body });
export const del = <T>(path: string, body?: unknown): Promise<T> =>
  call<T>("DELETE", path, body === undefined ? {} : { body });

/** One page of a list. */
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** Fetches one page of a list whose items stand under `key`. */
export async function list<T>(path: string, key: string, query?: Query, reading?: Reading): Promise<Page<T>> {
  const body = await get<Record<string, unknown>>(path, query, reading);
  const items = body[key];
  if (!Array.isArray(items)) throw new ApiError(200, "unreadable", `The server's answer has no list "${key}".`);
  return { items: items as T[], nextCursor: (body["nextCursor"] as string | null | undefined) ?? null };
}

/** Something to say about any failure, for a person. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
