// What of an edited policy is sent, and what is refused before.

import { describe, expect, test } from "bun:test";
import { checkPolicy, parseClaim, toInput, toValues } from "./policy-form.ts";

describe("policy form", () => {
  test.each([
    ["true", true],
    ["false", false],
    ["42", 42],
    ["staff", "staff"],
    ["", ""],
  ])("claim %j", (text, value) => expect(parseClaim(text)).toBe(value));

  test("only the parts of the chosen kind are sent", () => {
    const input = toInput({ ...toValues(null, "custom"), authType: "api_key", basicUsername: "left over" });
    expect(Object.keys(input).toSorted()).toEqual(["allowIps", "allowPreflight", "authType", "denyIps"]);
  });

  describe("security", () => {
    test("a secret that was not typed is left out, so the stored one stays", () => {
      const values = { ...toValues(null, "custom"), basicUsername: "guest" };
      expect(toInput(values)).not.toHaveProperty("basicPassword");
      expect(toInput({ ...values, authType: "oidc" })).not.toHaveProperty("oidcClientSecret");
    });
  });

  test("a first basic policy needs a password", () => {
    const values = { ...toValues(null, "custom"), basicUsername: "guest" };
    expect(checkPolicy(values, null)).toHaveProperty("basicPassword");
  });
});
