// What visitors showed lately: only the very same lines are the same, however many others there are.

import { describe, expect, test } from "bun:test";
import { requestText } from "../../test/helpers/fake-visitor.ts";
import { basicAuth, session } from "../../test/helpers/policy-judge.ts";
import { Head } from "../../src/http1/head.ts";
import { LatelyShown } from "./lately-shown.ts";
import { nothingShown, type Shown } from "./shown.ts";
import { createVerdictCache } from "./verdict-cache.ts";

/** One place, so that whatever is shown meets what was shown before. */
function setUp(places = 1) {
  const lately = new LatelyShown(places);
  return (...lines: string[]): Shown => lately.of(headOf(...lines));
}

function headOf(...lines: string[]): Head {
  const head = new Head();
  const bytes = Buffer.from(requestText("GET /", ...lines), "latin1");
  expect(head.parseRequest(bytes, 0, bytes.length)).toBe(bytes.length);
  return head;
}

const textsOf = (shown: Shown) =>
  [shown.session("http"), shown.apiKey(false), shown.basic()].map((found) => found?.text ?? null);

test("the same lines are read once, whatever stands between them", () => {
  const shows = setUp();
  const lines = [`Cookie: dl_visitor=${session}`, `Authorization: ${basicAuth}`] as const;
  const first = shows(...lines);
  expect(shows(lines[0], "Accept: */*", lines[1])).toBe(first);
  expect(textsOf(first)).toEqual([session, null, basicAuth.slice(6)]);
  expect(first.basic()).toBe(first.basic());
});

test("a head without credentials shows nothing, and takes no place", () => {
  const shows = setUp();
  const first = shows("X-API-Key: dlk_a");
  expect(shows("Accept: */*")).toBe(nothingShown);
  expect(shows("X-API-Key: dlk_a")).toBe(first);
});

test("what is long is read each time, and as well", () => {
  const shows = setUp();
  const own = (bytes: number) => `Cookie: dl_visitor=${session}; a=`.padEnd(bytes, "x");
  expect(shows(own(1_024))).toBe(shows(own(1_024)));
  const long = shows(own(1_025));
  expect(shows(own(1_025))).not.toBe(long);
  expect(long.session("http")?.text).toBe(session);
});

test("each of many visitors is remembered at once", () => {
  const shows = setUp(1_024);
  const key = (i: number) => `X-API-Key: dlk_${Bun.hash(String(i)).toString(36)}`;
  const first = Array.from({ length: 100 }, (_, i) => shows(key(i)));
  expect(first.filter((one, i) => shows(key(i)) === one).length).toBeGreaterThan(70);
});

describe("security", () => {
  const key = "dlk_aaaaaaaa";
  const other = "dlk_aaaaaaab";
  test.each<[string, string[], string[], (string | null)[]]>([
    ["another key", [`X-API-Key: ${key}`], [`X-API-Key: ${other}`], [null, other, null]],
    ["a longer key", [`X-API-Key: ${key}`], [`X-API-Key: ${key}a`], [null, `${key}a`, null]],
    ["a shorter key", [`X-API-Key: ${key}`], [`X-API-Key: ${key.slice(0, -1)}`], [null, key.slice(0, -1), null]],
    ["another first byte", [`X-API-Key: ${key}`], [`X-API-Key: elk_aaaaaaaa`], [null, null, null]],
    ["a second key", [`X-API-Key: ${key}`], [`X-API-Key: ${key}`, `X-API-Key: ${key}`], [null, null, null]],
    ["one key less", [`X-API-Key: ${key}`, `X-API-Key: ${key}`], [`X-API-Key: ${key}`], [null, key, null]],
    ["a name with _", [`X-API-Key: ${key}`], [`X_API_Key: ${key}`], [null, null, null]],
    ["a name without _", [`X_API_Key: ${key}`], [`X-API-Key: ${key}`], [null, key, null]],
    ["a key as something else", [`X-API-Key: ${key}`], [`Cookie: ${key}`], [null, null, null]],
    ["the other scheme's cookie", [`Cookie: dl_visitor=${session}`], [`Cookie: __Host-dl_visitor=${session}`], []],
    ["another session", [`Cookie: dl_visitor=${session}`], [`Cookie: dl_visitor=${session.slice(1)}t`], []],
    ["another order", ["Cookie: a", "Authorization: b"], ["Authorization: b", "Cookie: a"], []],
  ])("%s is not what was shown before", (_, before, after, found) => {
    const shows = setUp();
    const first = shows(...before);
    const second = shows(...after);
    expect(second).not.toBe(first);
    expect(first.isOf(headOf(...after))).toBe(false);
    const wanted = new LatelyShown().of(headOf(...after));
    expect(textsOf(second)).toEqual(textsOf(wanted));
    if (found.length > 0) expect(textsOf(second)).toEqual(found);
  });

  test("a key that only a strict policy takes for one is none under another, in either order", () => {
    const shown = setUp()("X-API-Key: theirs");
    const texts = [false, true, false].map((strict) => shown.apiKey(strict)?.text ?? null);
    expect(texts).toEqual([null, "theirs", null]);
  });

  test("the same credential has a key of its own under each name, the same as if it were read anew", () => {
    const cache = createVerdictCache(1);
    const shown = setUp()(`Cookie: dl_visitor=${session}`, `Authorization: ${basicAuth}`);
    for (const name of ["app", "sibling", "app"]) {
      expect(shown.session("http")?.keyUnder(name, cache)).toBe(cache.keyOf(name, "session", session));
      expect(shown.basic()?.keyUnder(name, cache)).toBe(cache.keyOf(name, "basic", basicAuth.slice(6)));
    }
  });
});
