// The benchmark's frames against each other, whole and cut anywhere.

import { expect, test } from "bun:test";
import { acceptKey, clientFrame, echoedFrameBytes, echoFrames } from "./websocket-frames.ts";

test("the accept key is RFC 6455's own example", () => {
  expect(acceptKey("dGhlIHNhbXBsZSBub25jZQ==")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

test("an echo is the unmasked frame, and an incomplete one is left for later", () => {
  const payload = Buffer.from("hello, tunnel");
  const two = Buffer.concat([clientFrame(payload), clientFrame(payload)]);
  for (let cut = 0; cut <= two.length; cut++) {
    const first = echoFrames(two.subarray(0, cut));
    const second = echoFrames(two.subarray(first.consumed));
    const echoed = Buffer.concat([first.output, second.output]);
    expect(echoed.length).toBe(2 * echoedFrameBytes(payload.length));
    expect(echoed.subarray(2, echoedFrameBytes(payload.length)).toString()).toBe("hello, tunnel");
    expect(first.consumed + second.consumed).toBe(two.length);
  }
});
