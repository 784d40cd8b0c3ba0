// Why the public port can't be had, where no test can bring that about.

import { expect, test } from "bun:test";
import { AppError } from "../lib/errors.ts";
import { explainListen } from "./listen-refusal.ts";

const config = { host: "127.0.0.1", port: 443, listenFd: null };

test("a port that needs more rights is told with what to do", () => {
  const refused = explainListen(Object.assign(new Error("no"), { code: "EACCES" }), config);
  expect(refused.message).toBe(
    "Port 443 needs more rights than this user has. Set PORT to 1024 or higher, or grant CAP_NET_BIND_SERVICE.",
  );
});

test("what has its sentence already, and what nobody foresaw, stays as it is", () => {
  for (const error of [new AppError("conflict", "Ours."), Object.assign(new Error("odd"), { code: "EODD" })])
    expect(explainListen(error, config)).toBe(error);
  expect(explainListen("odd", config)).toEqual(new Error("odd"));
});
