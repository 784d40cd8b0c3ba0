// The model of generated conversations: what a visitor may see of each request, and what the local services may have got of it.

import { type Ask, isBare, mayRepeat, moodyTag, switches, unknownHost } from "./conversation-plan.ts";
import { plans } from "./conversation-service.ts";
import type { LocalService, RecordedRequest } from "./local-service.ts";
import { patternSha1 } from "./pattern.ts";
import type { RawResponse } from "./raw-client.ts";
import { type Field, valuesOf } from "./strict-http.ts";

/** Refusals of ours while something is being killed. */
const ours = new Set([502, 503, 504]);
/** More than this behind a head may cost a connection that moves its next request. */
const mostMoved = 16 * 1024;

/** Null when `got` is what may come of this request: an answer, or why there is none. `isFaulty`: something is being killed. */
export function judgeAnswer(ask: Ask, got: RawResponse | string, isFaulty: boolean): string | null {
  const { answer } = ask;
  const breaks = ask.tag !== null && !switches(ask) && answer.breaks !== null;
  if (typeof got === "string") {
    if (/malformed|no response in/.test(got)) return got;
    return isFaulty || (breaks && answer.breaks!.at >= 0) ? null : `broken: ${got}`;
  }
  const plan = valuesOf(got.fields, "x-plan").join();
  if (plan === "") {
    const wanted = breaks ? 502 : switches(ask) ? 101 : ask.tag !== null ? 0 : ask.host === unknownHost ? 404 : 200;
    return got.status === wanted || (isFaulty && ours.has(got.status)) ? null : `a ${got.status} of the server's own`;
  }
  if (plan !== ask.id) return `the answer of ${plan}`;
  if (breaks || switches(ask)) return `a whole ${got.status}`;
  const continues = ask.expects && answer.when === "last" ? ["100 Continue"] : [];
  const interim = [...continues, ...answer.interim].map((lines) => `HTTP/1.1 ${lines}\r\n\r\n`).join("");
  // A request that lost its session may have been asked again.
  if (!isFaulty && got.interim.map(({ raw }) => raw).join("") !== (ask.minor === 1 ? interim : ""))
    return `interim answers ${JSON.stringify(got.interim.map(({ raw }) => raw))}`;
  const start = `HTTP/1.1 ${answer.status} ${answer.reason}\r\n`;
  if (!got.head.startsWith(start)) return `began with ${JSON.stringify(got.head.slice(0, 40))}`;
  const { bytes, from, trailers } = answer.body;
  const length: Field[] = answer.framing === "length" ? [["Content-Length", String(bytes)]] : [];
  const fields = differing(got.fields, [...answer.fields, ...length], ["content-length"]);
  if (fields !== null) return `fields ${fields}`;
  const whole = isBare(ask) ? 0 : bytes;
  if (got.bodyBytes !== whole || got.sha1 !== patternSha1(from + whole, from))
    return `${got.bodyBytes} of ${whole} bytes`;
  const wanted = ask.minor === 1 && answer.framing === "chunked" && !isBare(ask) ? trailers : [];
  return Bun.deepEquals(got.trailers, wanted) ? null : `trailers ${JSON.stringify(got.trailers)}`;
}

/** Null when what an answer says of its connection is right. `behind`: bytes that were sent behind the head. */
export function judgeConnection(ask: Ask, got: RawResponse, behind: number, isFaulty: boolean): string | null {
  const says = valuesOf(got.fields, "connection").join().toLowerCase();
  const isOpenEnded = !isBare(ask) && got.status !== 204 && valuesOf(got.fields, "content-length").length === 0;
  const must = ask.minor === 1 ? ask.connection === "close" : ask.connection !== "keep-alive" || isOpenEnded;
  const { when, breaks } = ask.answer;
  const mayBeEarly = ask.body !== null && (when !== "last" || breaks !== null || ask.tag === null || isFaulty);
  const kept = ask.minor === 1 ? "" : "keep-alive";
  if (says === "close" ? must || mayBeEarly || behind > mostMoved : !must && says === kept) return null;
  return `${JSON.stringify(says)} of its connection`;
}

/** What is wrong with what the services got of `asks`. To be called when all is over. */
export function judgeDelivered(
  asks: readonly Ask[],
  services: ReadonlyMap<string, LocalService>,
  isFaulty: boolean,
): string[] {
  const wanted = new Map(asks.map((ask) => [ask.id, ask]));
  const times = new Map<string, number>();
  const problems: string[] = [];
  for (const [tag, { requests }] of services)
    for (const request of requests) {
      const id = idOf(request);
      // A visitor that left in an earlier run may have sent it.
      const ask = wanted.get(id) ?? plans.get(id);
      times.set(id, (times.get(id) ?? 0) + 1);
      const fault =
        ask === undefined ? "never asked for" : ask.tag === tag ? misdelivered(ask, request) : "not its own";
      if (fault !== null) problems.push(`${id} at ${tag}: ${fault}`);
    }
  for (const [id, count] of times) {
    const ask = wanted.get(id);
    // Once more by the agent, when a kept-alive connection ends without a word, and for each of three sessions that are lost.
    const isOnceMore = ask?.tag === moodyTag || ask?.answer.breaks?.at === -1;
    const again = ask === undefined || !mayRepeat(ask) ? 0 : isFaulty ? 5 : Number(isOnceMore);
    if (count > 1 + again) problems.push(`${id}: delivered ${count} times`);
  }
  return problems;
}

export function idOf({ target }: RecordedRequest): string {
  return /^\/plan\/([0-9-]+)/.exec(target)?.[1] ?? target;
}

function misdelivered(ask: Ask, request: RecordedRequest): string | null {
  const { method, target, body, expects, minor, fields } = ask;
  if (!request.raw.startsWith(`${method} ${target} HTTP/1.1\r\n`)) return `arrived as ${request.raw.slice(0, 100)}`;
  const expect: Field[] = expects && minor === 1 ? [["Expect", "100-continue"]] : [];
  const wrong = differing(request.fields, [["Host", ask.host], ...fields, ...expect], ["x-api-key", "expect"]);
  if (wrong !== null) return `arrived with ${wrong}`;
  if (!request.complete) return null;
  const { from, bytes, trailers } = body ?? { from: 0, bytes: 0, trailers: [] };
  if (request.bodyBytes !== bytes || request.sha1 !== patternSha1(from + bytes, from))
    return `${request.bodyBytes} of ${bytes} bytes arrived`;
  return Bun.deepEquals(request.trailers, trailers) ? null : `trailers ${JSON.stringify(request.trailers)}`;
}

/** Null when the fields of `got` whose names are in `sent`, or in `besides`, are those of `sent`. */
function differing(got: Field[], sent: Field[], besides: string[]): string | null {
  const names = new Set([...besides, ...sent.map(([name]) => name.toLowerCase())]);
  const kept = got.filter(([name]) => names.has(name.toLowerCase()));
  return Bun.deepEquals(kept, sent) ? null : JSON.stringify(kept);
}
