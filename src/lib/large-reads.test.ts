// Large reads: who rests for a turn, and whose memory is given back.

import { expect, test } from "bun:test";
import { freeLarge, restAfterLarge } from "./large-reads.ts";

test("a reader rests after a large read until the next turn, and not after a small one", async () => {
  const log: string[] = [];
  const reader = { rest: () => void log.push("rest"), wake: () => void log.push("wake") };
  restAfterLarge(64 * 1024, reader);
  expect(log).toEqual([]);
  restAfterLarge(512 * 1024, reader);
  expect(log).toEqual(["rest"]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(log).toEqual(["rest", "wake"]);
});

test("memory of a large chunk is given back at once; views of it are empty then", () => {
  const chunk = new Uint8Array(512 * 1024);
  const view = chunk.subarray(10, 20);
  freeLarge(chunk);
  expect([chunk.byteLength, view.byteLength]).toEqual([0, 0]);
  // Twice is once.
  freeLarge(chunk);
});

test("small chunks stay, and those that share their memory", () => {
  const small = Buffer.alloc(1_000);
  freeLarge(small);
  const whole = new Uint8Array(512 * 1024);
  const part = whole.subarray(0, 256 * 1024);
  freeLarge(part);
  expect([small.length, part.length, whole.length]).toEqual([1_000, 256 * 1024, 512 * 1024]);
});
