// Tests of which paths are ours, and a corpus of return addresses that must lead nowhere else.

import { describe, expect, test } from "bun:test";
import { isAuthPath, safeReturnPath } from "./paths.ts";

describe("isAuthPath", () => {
  test.each([
    "/__auth/login",
    "/__auth/login?to=%2F",
    "/__auth/callback?code=x",
    "/__auth/logout",
    "/__auth/basic",
    "/__auth/health",
  ])("%s is ours", (target) => expect(isAuthPath(target)).toBe(true));
});

describe("safeReturnPath", () => {
  test.each([
    "/",
    "/a/b?c=d&e=/f",
    "/a?next=//x",
    "/caf%C3%A9",
    "/~u/@me;v=1",
    "/a?u=https://x.example/",
    "/__auth/other",
    `/${"a".repeat(2_047)}`,
  ])("keeps %s", (path) => expect(safeReturnPath(path)).toBe(path));
});

describe("security", () => {
  test("no path is ours by prefix, case, encoding or dot segments", () => {
    for (const target of [
      "/__auth",
      "/__auth/",
      "/__auth/other",
      "/__auth/login/",
      "/__auth/login/x",
      "/__auth/loginx",
      "/__auth/Login",
      "/__AUTH/login",
      "/__auth/../x",
      "/__auth/./login",
      "/x/../__auth/login",
      "//__auth/login",
      "/__auth//login",
      "/%5f_auth/login",
      "/__auth/%6cogin",
      "/__auth%2flogin",
      "/__auth/login;x=1",
      "/__auth/login%3fx",
      "/__auth/login%00",
      "/__auth/login#",
      "/health/../__auth/health",
      "__auth/login",
      "",
      "*",
      "http://h/__auth/login",
    ]) {
      expect({ target, ours: isAuthPath(target) }).toEqual({ target, ours: false });
    }
  });

  const corpus = hostileReturns();

  test(`the corpus has several hundred values`, () => expect(corpus.length).toBeGreaterThan(500));

  test("each of them stays on the host, as a browser reads it", () => {
    const base = "https://myapp.tunnel.example/__auth/callback";
    const strays = corpus.filter((value) => {
      const path = safeReturnPath(value);
      const url = URL.parse(path, base);
      const isHome = url?.origin === "https://myapp.tunnel.example" && url.username === "" && url.password === "";
      return !isHome || !/^\/(?!\/)[!-~]*$/.test(path) || path.includes("\\");
    });
    expect(strays).toEqual([]);
  });

  test("what a lenient browser or proxy might read as another host becomes /", () => {
    const kept = corpus.filter((value) => safeReturnPath(value) !== "/");
    expect(kept).toEqual([]);
  });
});

/** Ways to write "somewhere else" × ways to hide it. */
function hostileReturns(): string[] {
  const hosts = [
    "evil.example",
    "evil.example:443",
    "user@evil.example",
    "evil.example%2f",
    "[::1]",
    "127.0.0.1",
    "myapp.tunnel.example.evil.example",
  ];
  // Groups of starts, parted by spaces; \s stands for a space.
  const starts = [
    "// /// //// /\\ \\\\ \\/ /\\/ /\t/ /\n/ /\r/ \t// \\s// //\t /\\s/ \u0000// /\u0000/",
    "http:// https:// https: http:/ https:/// HTTPS:// hTtP:\\\\ ftp:// ws:// wss: file:///",
    "javascript:// javascript: data:text/html, vbscript: blob:https:// view-source:https:// mailto:x@",
    "/%2f /%2F%2f /%5c /%5C%5c /%09/ /%0a/ /%0d%0a /%00/ %2f%2f %5c%5c /%2e%2e// /..// /.//",
    "/..%2f /x/..// /x// /./\\ /.\\ /..\\ /%2e/ /%2E%2e/ /./ /../ /a/../../ /a/%2e%2E/",
    "/\u2028/ /\u2029/ /\u00a0/ /\u3000/ /\u200b/ /\ufeff/ \ufeff// /\u00ad/ ／／ /／ /∕ /⁄ /\u0085/ /。/",
    '@ :@ ?// #// . .. ./ ../ x //%40 /%0d%0aLocation:%20https:// /\r\nLocation:\\shttps:// /< /> /"',
  ].flatMap((line) => line.split(" ").map((start) => start.replaceAll("\\s", " ")));
  const whole = [
    "/__auth/login",
    "/__auth/login?to=/",
    "/__auth/logout",
    "/__auth/callback?code=x",
    "/#//evil.example",
    "/" + "a".repeat(2_048),
    "/%2F",
    "/%5C",
    "/%1F",
    "/%7f",
  ];
  return [
    ...whole,
    ...starts.flatMap((start) => hosts.flatMap((host) => [`${start}${host}`, `${start}${host}/path?q=/#/x`])),
  ];
}
