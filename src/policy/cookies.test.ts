// Tests of reading our cookies strictly and of keeping them from local services.

import { describe, expect, test } from "bun:test";
import { readCookie, setCookie, stripCookies, visitorCookieName } from "./cookies.ts";

describe("readCookie", () => {
  test.each([
    ["a=1; dl_visitor=x", "x"],
    ["dl_visitor=x", "x"],
    [" dl_visitor = x ;b=2", "x"],
    ["dl_visitor=", null],
    ["dl_visitor=a=b", "a=b"],
    ["dl_visitor2=1; dl_visitors; dl_visitor=x", "x"],
    ["xdl_visitor=1", null],
    ["a=dl_visitor=1", null],
    [null, null],
  ])("%p gives %p", (header, value) => expect(readCookie(header, "dl_visitor")).toBe(value));
});

describe("stripCookies", () => {
  test("keeps what isn't ours as it was", () => {
    expect(stripCookies("a=1;  b=2; c")).toBe("a=1;  b=2; c");
    expect(stripCookies("a=dl_visitor; idl_x=1")).toBe("a=dl_visitor; idl_x=1");
  });
});

describe("security", () => {
  test("two cookies of one name are none", () => {
    expect(readCookie("dl_visitor=a; dl_visitor=b", "dl_visitor")).toBeNull();
    expect(readCookie("dl_visitor=a; dl_visitor=a", "dl_visitor")).toBeNull();
    expect(readCookie("dl_visitor=; dl_visitor=b", "dl_visitor")).toBeNull();
  });

  test("ours never go on", () => {
    expect(stripCookies("__Host-dl_visitor=s; a=1; dl_state=x; dl_session=j;b=2")).toBe("a=1;b=2");
    for (const name of ["visitor", "state", "session", "setup", "oauth"])
      expect(stripCookies(`dl_${name}=a=b; sid=1; __Host-dl_${name}=c`)).toBe("sid=1");
    expect(stripCookies("dl_visitor=s")).toBeNull();
    expect(stripCookies("dl_visitor=s; dl_visitor=t")).toBeNull();
    expect(stripCookies(" __Host-dl_state =s;  dl_visitor")).toBeNull();
  });

  test("ours are host-only, hidden from scripts, and __Host- with https", () => {
    const cookie = setCookie(visitorCookieName("https"), "s", 60);
    expect(cookie).toBe("__Host-dl_visitor=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
    expect(setCookie(visitorCookieName("http"), "s", 60)).not.toContain("Domain");
  });
});
