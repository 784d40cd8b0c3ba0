// What can't be seen is found and escaped; what can be is left alone.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { escapeUnseen, piecesOf, unseenIn } from "./unseen.ts";

describe("security", () => {
  const invisible = Array.from(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f\u3164" +
      "\uffa0\u00a0\u2007\u202f\u2028\u2029\u2800\ufe0f\u180e\0\x1b\x7f\x9b\r\u{e0041}\u{e0100}",
  );
  test.each(invisible.map((one) => [JSON.stringify(JSON.stringify(one)), one]))("%s is escaped", (_, one) => {
    const shown = escapeUnseen(`a${one}b`);
    expect(shown).toMatch(/^a(?:\\u[0-9a-f]{4})+b$/);
    expect(JSON.parse(`"${shown}"`)).toBe(`a${one}b`);
    expect(piecesOf(`a${one}b`).map(({ escape }) => escape)).toEqual([null, shown.slice(1, -1), null]);
  });

  test("a joiner that hangs on an emoji and joins nothing", () => {
    expect(escapeUnseen("\u{1f468}\u200dx")).toBe("\u{1f468}\\u200dx");
    expect(escapeUnseen("x\u200d\u{1f468}")).toBe("x\\u200d\u{1f468}");
  });

  test("however many there are: no more than some pieces, and none unescaped behind them", () => {
    const pieces = piecesOf("\u202ea".repeat(20_000));
    expect(pieces.length).toBeLessThan(11_000);
    expect(unseenIn(pieces.at(-1)!.text)).toEqual([]);
    expect(pieces.at(-1)!.text).toEndWith("\\u202ea");
  });
});

test.each(["plain", "a\tb\r\nc\n d", "é ü 日本\u3000語 עברית العربية", "❤️ ☎️ 👨‍👩‍👧 👍🏽 🏳️‍🌈 👩🏽‍💻"])(
  "%j is left as it is",
  (text) => {
    expect(escapeUnseen(text)).toBe(text);
    expect(piecesOf(text)).toEqual([{ text, escape: null }]);
  },
);

test("the pieces make the text", () => {
  const unit = fc.constantFrom("a", "\u202e", "\r", "\n", "\ufe0f", "\u200d", "❤", "\u{1f468}", "\u{e0041}", " ");
  fc.assert(
    fc.property(fc.string({ unit }), (text) => {
      const pieces = piecesOf(text);
      expect(pieces.map((piece) => piece.text).join("")).toBe(text);
      expect(pieces.map((piece) => piece.escape ?? piece.text).join("")).toBe(escapeUnseen(text));
    }),
  );
});

test("each is named once, the first few of them", () => {
  expect(unseenIn("a\u202eb\u202e\u200bc")).toEqual(["\\u202e", "\\u200b"]);
  expect(unseenIn("\x80\x81\x82\x83", 3)).toEqual(["\\u0080", "\\u0081", "\\u0082"]);
  expect(unseenIn("plain")).toEqual([]);
});
