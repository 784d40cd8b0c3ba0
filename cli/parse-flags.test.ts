// Flags: strictness, and the sentence for every mistake.

import { expect, test } from "bun:test";
import type { FlagTable } from "./command.ts";
import { parseFlags } from "./parse-flags.ts";

const flags = {
  subdomain: { type: "string", short: "n", value: "NAME", help: "" },
  forward: { type: "string", short: "f", multiple: true, help: "" },
  json: { type: "boolean", help: "" },
  quiet: { type: "boolean", short: "q", help: "" },
} as const satisfies FlagTable;

test("values, lists, switches and positionals in any order", () => {
  const parsed = parseFlags(["--json", "3000", "-n", "myapp", "-f", "a:1", "--forward=b:2", "-q", "--", "--x"], flags);
  expect(parsed.positionals).toEqual(["3000", "--x"]);
  expect(parsed.text("subdomain")).toBe("myapp");
  expect(parsed.list("forward")).toEqual(["a:1", "b:2"]);
  expect([parsed.on("json"), parsed.on("quiet"), parsed.on("help")]).toEqual([true, true, false]);
});

test.each([
  [["--sudomain", "x"], "Unknown flag --sudomain; did you mean --subdomain?"],
  [["--name", "x"], "Unknown flag --name; --help lists what there is."],
  [["--jason"], "Unknown flag --jason; did you mean --json?"],
  [["--sub", "x"], "Unknown flag --sub; did you mean --subdomain?"],
  [["--zzzzzzzz"], "Unknown flag --zzzzzzzz; --help lists what there is."],
  [["-x"], "Unknown flag -x; --help lists what there is."],
  [["--toString"], "Unknown flag --toString; --help lists what there is."],
  [["--__proto__"], "Unknown flag --__proto__; --help lists what there is."],
  [["--subdomain"], "--subdomain needs a value: --subdomain NAME."],
  [["--subdomain="], "--subdomain needs a value: --subdomain NAME."],
  [
    ["--subdomain", "--json"],
    "--subdomain needs a value, but --json follows; if that is the value, write --subdomain=--json.",
  ],
  [["-n", "-x"], "-n needs a value, but -x follows; if that is the value, write -n=-x."],
  [["--json=1"], "--json takes no value."],
  [["-n="], "-n needs a value: -n NAME."],
  [["-q=1"], "-q takes no value."],
  [["-n", "a", "-n", "b"], "-n is given twice; give it once."],
])("%j", (argv, sentence) => {
  expect(() => parseFlags(argv, flags)).toThrow(sentence);
});

test("a value may start with a dash when it is written with =", () => {
  for (const argv of [["--subdomain=-x"], ["-n=-x"], ["-n-x"], ["-qn=-x"]])
    expect(parseFlags(argv, flags).text("subdomain")).toBe("-x");
});
