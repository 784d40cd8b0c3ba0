// Tests of which credential lines of a visitor reach the local service.

import { describe, expect, test } from "bun:test";
import { forwardedValue } from "./strip.ts";

describe("forwardedValue", () => {
  test("the application's own credentials pass", () => {
    expect(forwardedValue("authorization", "Bearer abc", "keys+basic")).toBe("Bearer abc");
    expect(forwardedValue("authorization", "Basic YTpi", "keys")).toBe("Basic YTpi");
    expect(forwardedValue("x-api-key", "theirs", "keys+basic")).toBe("theirs");
    expect(forwardedValue("cookie", "sid=1", "keys")).toBe("sid=1");
    for (const authorization of ["Token bearer dlk_a", "Token basic YTpi", "Basics YTpi"])
      expect(forwardedValue("authorization", authorization, "keys+basic")).toBe(authorization);
    expect(forwardedValue("x-api-key", "their dlk_a", "keys")).toBe("their dlk_a");
  });
});

describe("security", () => {
  test("ours never do", () => {
    expect(forwardedValue("authorization", "bearer  dlk_abc", "keys")).toBeNull();
    expect(forwardedValue("authorization", "BEARER dlk_abc", "keys")).toBeNull();
    expect(forwardedValue("x-api-key", "dlk_abc", "keys")).toBeNull();
    expect(forwardedValue("authorization", "Basic YTpi", "keys+basic")).toBeNull();
    expect(forwardedValue("authorization", "bAsIc YTpi", "keys+basic")).toBeNull();
    expect(forwardedValue("authorization", "Basic", "keys+basic")).toBeNull();
    expect(forwardedValue("cookie", "dl_visitor=s; sid=1", "keys")).toBe("sid=1");
  });
});
