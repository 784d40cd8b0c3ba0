// What the page asks the agent for. The key stands in the page's address, behind the #, which browsers send to nobody.

import type { BegunExchange, ChangedRequest, ExchangeDetails, ExchangeList } from "../../cli/inspector/types.ts";

/** The agent refused, in its words; status 0: it did not answer. */
export class InspectorError extends Error {
  constructor(
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { Authorization: `Bearer ${location.hash.slice(1)}` };
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (cause) {
    throw new InspectorError(0, "The agent does not answer: it was stopped, perhaps.", { cause });
  }
  if (response.ok) return response;
  if (response.status === 413) throw new InspectorError(413, "It is larger than what can be sent from here, 4 MiB.");
  const { error } = await read<{ error: { message: string } }>(response);
  throw new InspectorError(response.status, error.message);
}

async function read<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (cause) {
    throw new InspectorError(0, "Something else answers here: the agent was stopped, perhaps.", { cause });
  }
}

/** The exchanges as soon as they are of another version than `since`, or after some time. Throws something when it is given up by `signal`. */
export async function list(since: number, signal: AbortSignal): Promise<ExchangeList> {
  return read<ExchangeList>(await call(`/api/exchanges?since=${since}`, { signal }));
}

export async function details(id: number, withSecrets: boolean): Promise<ExchangeDetails> {
  return read<ExchangeDetails>(await call(`/api/exchanges/${id}${withSecrets ? "?secrets" : ""}`));
}

/** The bytes that are kept of a body, as they were on the wire. */
export async function body(id: number, which: "request" | "answer"): Promise<Blob> {
  return (await call(`/api/exchanges/${id}/${which}`)).blob();
}

/** Sends it again, `null`: as it was. Returns the new exchange, which has just begun. */
export async function repeat(id: number, changed: ChangedRequest | null): Promise<BegunExchange> {
  return read(await call(`/api/exchanges/${id}/repeat`, { method: "POST", body: JSON.stringify(changed) }));
}

export async function clear(): Promise<void> {
  await call("/api/exchanges", { method: "DELETE" });
}
