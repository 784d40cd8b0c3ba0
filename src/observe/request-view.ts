// A captured request as the API and the live stream show it.

import type { CapturedRequest } from "../link/messages.ts";

export type RequestView = ReturnType<typeof toRequestView>;

/** No bodies; secrets were masked where it was captured. */
export function toRequestView(request: CapturedRequest) {
  const { orgId: _orgId, startedAtMs, ...rest } = request;
  return { ...rest, time: new Date(startedAtMs).toISOString() };
}
