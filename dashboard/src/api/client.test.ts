// Calls of the API: what becomes of an answer that breaks off.

import { afterAll, afterEach, expect, spyOn, test } from "bun:test";
import { ApiError, call } from "./client.ts";

const fetching = spyOn(globalThis, "fetch");
afterEach(() => void fetching.mockReset());
afterAll(() => fetching.mockRestore());

/** An answer whose body begins and then fails with `cause`. */
function brokenBy(cause: Error, status: number): Response {
  let isBegun = false;
  const body = new ReadableStream({
    pull(controller) {
      if (isBegun) return controller.error(cause);
      isBegun = true;
      controller.enqueue(new TextEncoder().encode('{"tunnels":['));
    },
  });
  return new Response(body, { status });
}

test.each([200, 503])(
  "an answer of %p that breaks off is the network's failure, which is tried again",
  async (status) => {
    fetching.mockImplementation((() => Promise.resolve(brokenBy(new TypeError("terminated"), status))) as typeof fetch);
    const failure = await call("GET", "/admin/tunnels").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApiError);
    expect(failure).toMatchObject({ status: 0, code: "network" });
    expect((failure as ApiError).message).toContain("could not be reached");
  },
);

test("a call that is given up says so, also while its answer comes", async () => {
  const given = new DOMException("given up", "AbortError");
  fetching.mockImplementation((() => Promise.resolve(brokenBy(given, 200))) as typeof fetch);
  expect(await call("GET", "/admin/tunnels").catch((error: unknown) => error)).toBe(given);
});
