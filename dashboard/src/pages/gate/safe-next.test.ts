import { describe, expect, test } from "bun:test";
import { safeNext } from "./safe-next.ts";

const origin = "https://tunnels.example.com";
const overview = "/dashboard/overview";

describe("where a log-in leads", () => {
  test.each([
    "/dashboard/applications",
    "/dashboard/audit?action=NOT+application&q=a*b",
    "/dashboard/audit?q=%C3%A9%20(x)!~@:,;$",
    "/dashboard/applications/01HV/policy?page=2#keys",
    "/dashboard/audit?q=https://evil.example/../..",
    "/dashboard//evil.example",
  ])("a page of the dashboard is kept as it is: %s", (next) => {
    expect(safeNext(next, origin)).toBe(next);
  });

  test("no page was asked for: the overview", () => {
    expect(safeNext(undefined, origin)).toBe(overview);
  });

  describe("security", () => {
    test.each([
      "",
      "dashboard/audit",
      "//evil.example/dashboard/",
      "///evil.example/dashboard/",
      "/\\evil.example/dashboard/",
      "\\\\evil.example/dashboard/",
      "https://evil.example/dashboard/",
      "https:/dashboard/audit",
      "https://tunnels.example.com@evil.example/dashboard/",
      "//tunnels.example.com.evil.example/dashboard/",
      "//tunnels.example.com:8443/dashboard/",
      "//[/dashboard/",
      "javascript:alert(1)",
      "javascript:/dashboard/",
      "data:text/html,x",
      "/auth/logout",
      "/dashboard",
      "/dashboards/x",
      "/DASHBOARD/x",
      "/dashboard/../auth/logout",
      "/dashboard/..//evil.example",
      "/dashboard/../..//x",
      "/dashboard/%2e%2e/auth/logout",
      "/dashboard/.%2E/%2e./auth/logout",
      "/dashboard\\..\\auth\\logout",
      "/\t/evil.example/dashboard/",
      "/\n\\evil.example/dashboard/",
      "/dash\tboard/audit",
      "/dashboard/.\r./auth/logout",
      "/dashboard/audit\u0000",
      "/dashboard/audit?q=\u007f",
      " /dashboard/audit",
      "\u0001/dashboard/audit",
    ])("nothing else is followed: %j", (next) => {
      expect(safeNext(next, origin)).toBe(overview);
    });
  });
});
