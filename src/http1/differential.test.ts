// Our codec beside llhttp and a real node:http: it may refuse what they accept, never the other way, never frame differently.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { disagreement } from "../../test/helpers/compare-parsers.ts";
import { mutated, runs, validRequest, validResponse } from "../../test/helpers/http1-inputs.ts";
import { parseWithLlhttp } from "../../test/helpers/llhttp.ts";
import { startNodeHttp } from "../../test/helpers/node-http.ts";
import { parseWithOurs } from "../../test/helpers/parsed-message.ts";

const kinds = [
  ["request", validRequest],
  ["response", validResponse],
] as const;

/** One or two messages, whole or broken. */
const input = (valid: (typeof kinds)[number][1]): fc.Arbitrary<string> => {
  const one = valid.map((message) => message.wire);
  const two = fc.tuple(one, one).map(([a, b]) => a + b);
  return fc.oneof(two, mutated(one), mutated(two), mutated(two));
};

describe("security", () => {
  test.each(kinds)("%ss, beside llhttp", (kind, valid) => {
    let accepted = 0;
    fc.assert(
      fc.property(input(valid), (wire) => {
        const bytes = Buffer.from(wire, "latin1");
        const ours = parseWithOurs(bytes, kind);
        accepted += ours.messages.length;
        expect(disagreement(ours, parseWithLlhttp(bytes, kind))).toBeNull();
      }),
      { numRuns: runs(6000) },
    );
    // A codec that refuses everything would agree as well.
    expect(accepted).toBeGreaterThan(2000);
  });

  test("both read valid messages alike, and as they were meant", () => {
    for (const [kind, valid] of kinds) {
      fc.assert(
        fc.property(valid, ({ wire, ...meant }) => {
          const bytes = Buffer.from(wire, "latin1");
          expect(parseWithOurs(bytes, kind).messages).toEqual([meant]);
          expect(parseWithLlhttp(bytes, kind).messages).toEqual([meant]);
        }),
        { numRuns: runs(500) },
      );
    }
  });

  test("requests, beside a real node:http", async () => {
    await using node = await startNodeHttp();
    const wires = fc.sample(input(validRequest), runs(600));
    let accepted = 0;
    for (let from = 0; from < wires.length; from += 100) {
      const batch = wires.slice(from, from + 100).map((wire) => Buffer.from(wire, "latin1"));
      const theirs = await Promise.all(batch.map((bytes) => node.parse(bytes)));
      for (const [i, bytes] of batch.entries()) {
        const ours = parseWithOurs(bytes, "request");
        accepted += ours.messages.length;
        const wrong = disagreement(ours, theirs[i]!);
        if (wrong !== null)
          throw new Error(`${wrong}\n${JSON.stringify(bytes.toString("latin1"))}\n${JSON.stringify(theirs[i])}`);
      }
    }
    expect(accepted).toBeGreaterThan(100);
  });
});
