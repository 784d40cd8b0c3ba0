// Work of which only so much is under way at once.

import { expect, test } from "bun:test";
import { createLanes } from "./lanes.ts";

test("as many as there are lanes run at once, the others in the order of their calls when one ends, well or not", async () => {
  const inLane = createLanes(2);
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  const enter = (name: string): Promise<string> =>
    inLane(() => {
      begun.push(name);
      const end = Promise.withResolvers<string>();
      ends.set(name, end);
      return end.promise;
    });
  const [a, b, c, d] = ["a", "b", "c", "d"].map(enter) as [Promise<string>, ...Promise<string>[]];
  expect(begun).toEqual(["a", "b"]);
  ends.get("b")!.reject(new Error("b failed"));
  expect(b).rejects.toThrow("b failed");
  await b!.catch(() => {});
  const e = enter("e");
  await Promise.resolve();
  expect(begun).toEqual(["a", "b", "c"]);
  ends.get("a")!.resolve("A");
  expect(await a).toBe("A");
  ends.get("c")!.resolve("C");
  expect(await c).toBe("C");
  await Promise.resolve();
  expect(begun).toEqual(["a", "b", "c", "d", "e"]);
  for (const name of ["d", "e"]) ends.get(name)!.resolve(name);
  expect(await Promise.all([d, e])).toEqual(["d", "e"]);
  const f = enter("f");
  expect(begun.at(-1)).toBe("f");
  ends.get("f")!.resolve("F");
  expect(await f).toBe("F");
});
