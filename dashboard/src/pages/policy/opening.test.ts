// Which changes of an application's mode open it, and are asked about.

import { describe, expect, test } from "bun:test";
import type { AuthMode, Policy } from "../../api/types.ts";
import { resolveOpening } from "./opening.ts";

const policy = { authType: "api_key" } as Policy;
const shop = (authMode: AuthMode) => ({ authMode, url: "http://shop.localhost" });

describe("security: opening an application to the world", () => {
  test.each<[from: AuthMode, to: AuthMode, inherited: Policy | null | undefined, outcome: true | string | null]>([
    ["custom", "disabled", policy, true],
    ["custom", "disabled", null, true],
    ["custom", "inherit", null, true],
    ["custom", "inherit", undefined, true],
    ["custom", "inherit", policy, null],
    ["inherit", "disabled", policy, true],
    ["inherit", "disabled", undefined, true],
    ["inherit", "disabled", null, "stays so even when it gets one"],
    ["disabled", "inherit", null, "until it gets one"],
    ["disabled", "inherit", undefined, "is not known"],
    ["disabled", "inherit", policy, null],
    ["disabled", "custom", null, null],
    ["inherit", "custom", null, null],
    ["disabled", "disabled", null, null],
  ])("from %s to %s, the organization's policy being %j", (from, to, inherited, outcome) => {
    const opening = resolveOpening(shop(from), to, inherited, "API key");
    if (outcome === null) return expect(opening).toBeNull();
    expect(opening).toMatchObject({ asks: outcome === true });
    if (outcome !== true) expect(opening?.says).toContain(outcome);
  });

  test("the question says what decided until now", () => {
    expect(resolveOpening(shop("custom"), "disabled", null, "API key")?.says).toStartWith(
      "Until now its own policy decides who gets in (API key).",
    );
    expect(resolveOpening(shop("inherit"), "disabled", policy, "API key")?.says).toStartWith(
      "Until now the organization's policy decides who gets in (API key).",
    );
  });
});
