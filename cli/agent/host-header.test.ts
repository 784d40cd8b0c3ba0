// `--host-header`: the Host that the local service sees, whatever else the head holds.

import { expect, test } from "bun:test";
import { maxFields } from "../../src/http1/parsing.ts";
import { replaceHost } from "./host-header.ts";

const replaced = (head: string): string => replaceHost(Buffer.from(head, "latin1"), "app.test:3000").toString("latin1");

test("the value of Host is replaced, and nothing else", () => {
  expect(replaced("GET /host: HTTP/1.1\r\nX-Host: a\r\nhOST:  b \r\nHostile: c\r\n\r\n")).toBe(
    "GET /host: HTTP/1.1\r\nX-Host: a\r\nhOST: app.test:3000\r\nHostile: c\r\n\r\n",
  );
  expect(replaced("GET / HTTP/1.1\r\nHost: \r\n\r\n")).toBe("GET / HTTP/1.1\r\nHost: app.test:3000\r\n\r\n");
});

test("a head with as many fields as a visitor may send, and ours behind them, is no exception", () => {
  const fields = "X-Field: \xe4\r\n".repeat(maxFields + 20);
  const head = (host: string): string => `GET / HTTP/1.1\r\n${fields}Host: ${host}\r\n\r\n`;
  expect(replaced(head("visited.example"))).toBe(head("app.test:3000"));
});

test("a head without a Host, or cut short, stays as it is", () => {
  for (const head of ["GET / HTTP/1.0\r\nA: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a", "GET / HTTP/1.1\r\n", ""])
    expect(replaced(head)).toBe(head);
});
