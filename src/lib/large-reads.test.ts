// Large reads: who rests for a turn, and whose memory is given back.

import { expect, test } from "bun:test";
import { freeLarge, Reads } from "./large-reads.ts";

class Reader extends Reads {
  readonly log: string[] = [];
  readonly socket = { pause: () => this.log.push("pause"), resume: () => this.log.push("resume"), terminate() {} };
  override received(): void {}
  override pause(reason: number): void {
    super.pause(reason);
  }
  override unpause(reasons: number): void {
    super.unpause(reasons);
  }
  override restAfterLarge(bytes: number): void {
    super.restAfterLarge(bytes);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a reader rests after a large read until the next turn, and not after a small one", async () => {
  const reader = new Reader();
  reader.restAfterLarge(64 * 1024);
  expect(reader.log).toEqual([]);
  reader.restAfterLarge(512 * 1024);
  expect(reader.log).toEqual(["pause"]);
  await turn();
  expect(reader.log).toEqual(["pause", "resume"]);
});

test("a reader that is paused for several reasons goes on after the last of them", async () => {
  const reader = new Reader();
  reader.unpause(2);
  reader.pause(2);
  reader.restAfterLarge(512 * 1024);
  reader.pause(4);
  await turn();
  reader.unpause(2);
  expect(reader.log).toEqual(["pause"]);
  reader.unpause(2 | 4);
  expect(reader.log).toEqual(["pause", "resume"]);
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
