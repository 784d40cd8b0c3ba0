// Contract: the raw-request matrix end to end: for each request the local service sees none or exactly one well-formed one.

import { describe, expect, test } from "bun:test";
import { type ErrorCode, errorCatalogue } from "../../src/lib/errors.ts";
import { forwardingFaults } from "../helpers/check-forwarded.ts";
import type { RecordedRequest } from "../helpers/local-service.ts";
import { onlyValue, RawClient, type RawResponse } from "../helpers/raw-client.ts";
import { type RawRequestCase, rawRequestLimits, rawRequests, renderRawRequest } from "../helpers/raw-requests.ts";
import { describeContract, requestBytes } from "../helpers/services.ts";

const env = {
  MAX_BODY_BYTES: String(rawRequestLimits.maxBodyBytes),
  HEAD_TIMEOUT_MS: String(rawRequestLimits.headTimeoutMs),
};

/** A refusal says what is wrong, and how an operator finds it again. */
function expectClear(response: RawResponse): void {
  const { error } = JSON.parse(response.body.toString()) as { error: { code: ErrorCode; requestId: string } };
  expect(error).toMatchObject({ message: expect.any(String), requestId: onlyValue(response, "x-request-id") });
  expect(errorCatalogue[error.code].status).toBe(response.status);
}

describeContract("raw requests", env, (parties) => {
  /** Sends one entry in pieces; returns the statuses of its answers, how the connection ended, and what the service got. */
  async function play(one: RawRequestCase, cuts: (length: number) => number[]) {
    const { server, service, host } = parties();
    const bytes = renderRawRequest(one.bytes, host);
    const before = service.requests.length;
    using client = await RawClient.open({ port: server.port });
    const statuses: number[] = [];
    const wanted = typeof one.expect === "object" && one.expect.next !== undefined ? 2 : 1;
    const answers = (async () => {
      for (let i = 0; i < wanted; i++) {
        const response = await client.response();
        statuses.push(response.status);
        if (response.status !== 200) expectClear(response);
      }
    })();
    answers.catch(() => undefined);
    await client.sendPieces(bytes, cuts(bytes.length));
    await answers;
    if (one.closes) await client.ended;
    else {
      // Still in step: the next request gets its own answer.
      await client.send(requestBytes(host, "/head/after"));
      expect((await client.response()).body.toString()).toStartWith("GET /head/after ");
    }
    const got = service.requests.slice(before).filter(({ target }) => target !== "/head/after");
    return { statuses, got };
  }

  function expectAsWanted(
    one: RawRequestCase,
    { statuses, got }: { statuses: number[]; got: RecordedRequest[] },
  ): void {
    const { expect: wanted } = one;
    if (typeof wanted === "string") {
      expect(statuses).toEqual([Number(wanted)]);
      expect(got.filter(({ complete }) => complete).length).toBe(0);
      if (!one.begins) expect(got.length).toBe(0);
      return;
    }
    const { forwarded, next } = wanted;
    expect(statuses).toEqual(next === undefined ? [200] : [200, typeof next === "string" ? Number(next) : 200]);
    const all = typeof next === "object" ? [forwarded, next] : [forwarded];
    expect(got.length).toBe(all.length);
    expect(all.flatMap((one_, i) => forwardingFaults(got[i]!, one_, parties().host))).toEqual([]);
  }

  describe("security", () => {
    test.each(rawRequests.map((one) => [one.name, one] as const))("%s", async (_, one) => {
      expectAsWanted(one, await play(one, () => []));
    });

    test("all of them once more, cut in two anywhere", async () => {
      for (const [i, one] of rawRequests.entries()) {
        if (one.expect === "408") continue;
        expectAsWanted(one, await play(one, (length) => [1 + ((i * 7919) % Math.max(1, Math.min(length, 400) - 1))]));
      }
    });
  });
});
