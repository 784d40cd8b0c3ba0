// Forms as they are shown: part by part, or not at all when they are not written as the standard says.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formParts } from "./form-parts.ts";

const type = "multipart/form-data; boundary=b";
const form = (...parts: string[]) =>
  Buffer.from([...parts.map((part) => `--b\r\n${part}\r\n`), "--b--\r\n"].join(""), "latin1");
const field = (name: string, value: string, more = "") =>
  `Content-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}`;
const shown = { filename: null, type: null, isCut: false, hex: null };

test("fields and files: names, types and sizes; text as text, and the first bytes of what is none", () => {
  const picture = "\x89PNG\r\n\x1a\n\0".padEnd(100, "\xff");
  const parts = formParts(
    type,
    form(
      field("title", "caf\xc3\xa9\r\n--a"),
      field("empty", ""),
      field("picture", picture, '; filename="a \\"b\\".png"\r\nContent-Type: image/png'),
      "content-type: application/json\r\nCONTENT-DISPOSITION: form-data; filename=x.json; name=data\r\nX-More: 1\r\n\r\n{}",
    ),
    true,
  );
  expect(parts).toEqual([
    { ...shown, name: "title", bytes: 10, text: "café\r\n--a" },
    { ...shown, name: "empty", bytes: 0, text: "" },
    {
      ...{ ...shown, name: "picture", filename: 'a "b".png', type: "image/png", bytes: 100, text: null },
      hex: Buffer.from(picture.slice(0, 64), "latin1").toString("hex"),
    },
    { ...shown, name: "data", filename: "x.json", type: "application/json", bytes: 2, text: "{}" },
  ]);
  expect(formParts(type, form(), true)).toBeNull();
});

test("what a browser writes is read as it was meant", async () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  const name = fc.stringMatching(/^[\w \p{L};="-]{1,20}$/u);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, bytes), { minLength: 1, maxLength: 5 }), async (files) => {
      const data = new FormData();
      for (const [of, content] of files) data.append(of, new Blob([content]), "f");
      const request = new Request("http://a.test", { method: "POST", body: data });
      const contentType = request.headers.get("Content-Type")!;
      const parts = formParts(contentType, Buffer.from(await request.arrayBuffer()), true);
      expect(parts?.map(({ name: of, bytes: size }) => [of, size])).toEqual(
        files.map(([of, content]) => [of.replaceAll('"', "%22"), content.length]),
      );
    }),
  );
});

test("of a form that goes on, or of which not all is kept, what there is: at each byte no part that is not there", () => {
  const whole = form(field("a", "\0one"), field("b", "two"));
  const all = formParts(type, whole, true)!;
  for (let length = 0; length < whole.length; length++) {
    const parts = formParts(type, whole.subarray(0, length), false);
    if (length < 3) expect(parts).toBeNull();
    for (const [at, part] of (parts ?? []).entries()) {
      expect(part.name).toBe(all[at]!.name);
      if (!part.isCut) expect(part).toEqual(all[at]!);
    }
    // Without its end it is none, when nothing more comes; the last line end may be missing.
    if (length < whole.length - 2) expect(formParts(type, whole.subarray(0, length), true)).toBeNull();
  }
});

describe("is shown as it is, not in parts:", () => {
  const one = field("a", "\0");
  test.each([
    ["another type", "multipart/mixed; boundary=b", form(one)],
    ["no boundary", "multipart/form-data", form(one)],
    ["two boundaries", `${type}; boundary=b`, form(one)],
    ["a boundary with a line end", 'multipart/form-data; boundary="b\r\n"', form(one)],
    ["a boundary that is too long", `multipart/form-data; boundary=${"b".repeat(71)}`, form(one)],
    ["something before the first part", type, Buffer.concat([Buffer.from("x\r\n"), form(one)])],
    ["something behind the last one", type, Buffer.concat([form(one), Buffer.from("x")])],
    ["a boundary that goes on", type, Buffer.from(form(one, one).toString("latin1").replace("\0\r\n--b", "$&c"))],
    ["lines that end with LF alone", type, Buffer.from(form(one).toString("latin1").replaceAll("\r\n", "\n"))],
    ["a part without a head", type, form("\r\n\0")],
    ["a part without a name", type, form("Content-Disposition: form-data\r\n\r\n\0")],
    ["a part with two names", type, form(field("a", "\0", '; name="b"'))],
    ["a part that is said twice to be something", type, form(`Content-Disposition: form-data; name="b"\r\n${one}`)],
    ["a part of another kind", type, form('Content-Disposition: attachment; name="a"\r\n\r\n\0')],
    ["a line of a head that is no field", type, form(`nothing\r\n${one}`)],
    ["a folded field", type, form(`X: 1\r\n 2\r\n${one}`)],
    ["a quote that does not end", type, form('Content-Disposition: form-data; name="a\r\n\r\n\0')],
    ["a very long head", type, form(`X: ${"x".repeat(9_000)}\r\n${one}`)],
    ["very many parts", type, form(...Array<string>(101).fill(one))],
  ])("%s", (_, contentType, bytes) => {
    expect(formParts(contentType, bytes, true)).toBeNull();
  });
});
