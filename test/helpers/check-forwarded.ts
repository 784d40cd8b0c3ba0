// Compares what the local service recorded with what the raw-request matrix says must reach it.

import type { RecordedRequest } from "./local-service.ts";
import { type Forwarded, renderRawRequest } from "./raw-requests.ts";
import { valuesOf } from "./strict-http.ts";

/** Everything that is wrong with `request`, one sentence each; empty when it is as `wanted`. `host`: see renderRawRequest. */
export function forwardingFaults(request: RecordedRequest, wanted: Forwarded, host: string): string[] {
  const faults: string[] = [];
  const check = (holds: boolean, fault: string): void =>
    void (holds || faults.push(`${fault} in ${JSON.stringify(request.raw)}`));
  const { fields } = request;
  const lines = request.raw.split("\r\n");
  check(request.complete, "the request never ended");
  check(
    request.method === wanted.method && request.target === wanted.target && request.version === "HTTP/1.1",
    "another request line",
  );
  check(valuesOf(fields, "host").length === 1, "not exactly one Host");
  const body = renderRawRequest(wanted.body, host);
  check(
    request.bodyText === body && request.bodyBytes === body.length,
    `another body (${JSON.stringify(request.bodyText)})`,
  );
  const framing =
    valuesOf(fields, "transfer-encoding").length > 0
      ? "chunked"
      : valuesOf(fields, "content-length").length > 0
        ? "length"
        : "none";
  check(framing === wanted.framing, `the body is framed by ${framing}`);
  if (framing === "length")
    check(valuesOf(fields, "content-length")[0] === String(body.length), "another Content-Length");
  for (const line of wanted.has ?? [])
    check(lines.includes(renderRawRequest(line, host)), `${JSON.stringify(line)} is missing`);
  for (const text of wanted.lacks ?? [])
    check(!request.raw.toLowerCase().includes(text), `${JSON.stringify(text)} is there`);
  if (wanted.trailers !== undefined)
    check(JSON.stringify(request.trailers) === JSON.stringify(wanted.trailers), "other trailers");
  return faults;
}
