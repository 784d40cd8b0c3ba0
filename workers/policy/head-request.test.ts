// What the judge is told of a head without strings being made of it: whether our own paths, or a preflight, are asked for.

import { expect, test } from "bun:test";
import { readRequest } from "../../test/helpers/policy-judge.ts";
import { authPaths, isAuthPath } from "../../src/policy/paths.ts";

test("our own paths are those that isAuthPath knows", () => {
  const paths = Object.values(authPaths);
  expect(paths.map((target) => readRequest({ target }).isOurs)).toEqual(paths.map(() => true));
  const others = [
    "/",
    "/a?b=/__auth/login",
    "/__auth",
    "/__auth/",
    "/__auth/x",
    "/__AUTH/login",
    "//__auth/login",
    "/_",
  ];
  for (const target of [...paths, ...others].flatMap((path) => [path, `${path}?`, `${path}/`, `/x${path}`]))
    expect({ target, isOurs: readRequest({ target }).isOurs }).toEqual({ target, isOurs: isAuthPath(target) });
});

test("a preflight is OPTIONS with one origin and one method that is asked for", () => {
  const headers = { Origin: "https://a.example", "Access-Control-Request-Method": "PUT" };
  const ask = "access-control-request-method";
  const twice = { ...headers, [ask]: "PUT" };
  const asked = [
    { method: "OPTIONS", headers },
    { method: "GET", headers },
    { method: "OPTIONS", headers: { Origin: "null" } },
    { method: "OPTIONS", headers: { [ask]: "PUT" } },
    { method: "OPTIONS", headers: twice },
  ];
  expect(asked.map((one) => readRequest(one).isPreflight)).toEqual([true, false, false, false, false]);
});
