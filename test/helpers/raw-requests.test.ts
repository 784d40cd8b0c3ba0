// The raw-request matrix against the codec and the gate alone: that its expectations fit the grammar, and llhttp agrees.

import { describe, expect, test } from "bun:test";
import { judgeHost } from "../../src/ingress/gate.ts";
import { Head } from "../../src/http1/head.ts";
import { INCOMPLETE } from "../../src/http1/parsing.ts";
import { disagreement } from "./compare-parsers.ts";
import { parseWithLlhttp } from "./llhttp.ts";
import { parseWithOurs } from "./parsed-message.ts";
import {
  type Forwarded,
  type RawRequestCase,
  rawRequestLimits,
  rawRequests,
  renderRawRequest,
} from "./raw-requests.ts";

const domains = { domain: "localhost", dashboardDomain: "localhost" };
const bytesOf = (one: RawRequestCase): Buffer => Buffer.from(renderRawRequest(one.bytes, "demo.localhost"), "latin1");

/** What the head and its Host say, without a server. */
function judged(bytes: Buffer): string {
  const head = new Head();
  const end = head.parseRequest(bytes, 0, bytes.length);
  if (end === INCOMPLETE) return "408";
  if (end < 0)
    return { bad_request: "400", method_not_allowed: "405", head_too_large: "431" }[head.error as string] ?? head.error;
  const verdict = judgeHost(head.value(head.host), domains);
  if (verdict.kind === "malformed") return "400";
  if (verdict.kind === "foreign") return "421";
  if (verdict.kind === "tunnel" && verdict.name !== "demo") return "404";
  if (head.contentLength > rawRequestLimits.maxBodyBytes) return "413";
  return `${verdict.kind} ${verdict.host}`;
}

describe("raw requests", () => {
  test("names are unique, and there are enough", () => {
    expect(new Set(rawRequests.map((one) => one.name)).size).toBe(rawRequests.length);
    expect(rawRequests.length).toBeGreaterThan(120);
  });

  test.each(rawRequests.map((one) => [one.name, one] as const))("%s", (_, one) => {
    const bytes = bytesOf(one);
    const ours = parseWithOurs(bytes, "request");
    expect(disagreement(ours, parseWithLlhttp(bytes, "request"))).toBeNull();
    if (typeof one.expect === "string") {
      if (one.begins) {
        expect(judged(bytes)).toBe("tunnel demo.localhost");
        if (one.expect === "400") expect([ours.refused === null, ours.messages]).toEqual([false, []]);
      } else expect(judged(bytes)).toBe(one.expect);
      return;
    }
    const { forwarded, next } = one.expect;
    expect(judged(bytes)).toBe("tunnel demo.localhost");
    const wanted: Forwarded[] = [forwarded];
    if (typeof next === "object") wanted.push(next);
    expect(ours.messages.slice(0, wanted.length).map(({ method, target, body }) => [method, target, body])).toEqual(
      wanted.map(({ method, target, body }) => [method, target, body]),
    );
    if (forwarded.trailers !== undefined) expect(ours.messages[0]!.trailers).toEqual(forwarded.trailers);
    expect([ours.refused !== null, ours.open]).toEqual([next === "400", false]);
    if (next === undefined) expect(ours.closed).toBe(one.closes);
  });
});
