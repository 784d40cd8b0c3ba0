// The ring of live events: order, bounds, and what a reader that comes back gets.

import { describe, expect, test } from "bun:test";
import { EventRing } from "./event-ring.ts";

const idOf = (text: string): string => /^id: (.*)$/m.exec(text)?.[1] ?? "";

describe("event ring", () => {
  test("gives what came after an id", () => {
    const ring = new EventRing({ events: 10, bytes: 10_000 }, "e");
    const events = [1, 2, 3].map((n) => ring.push("t", null, `{"n":${n}}`));
    expect(events[0]!.text).toBe('id: e-1\nevent: t\ndata: {"n":1}\n\n');
    expect(ring.after(idOf(events[0]!.text))).toEqual(events.slice(1));
    expect(ring.after(idOf(events[2]!.text))).toEqual([]);
  });

  test("says that it can't go on from ids of another life, and from nonsense", () => {
    const ring = new EventRing({ events: 10, bytes: 10_000 }, "e");
    ring.push("t", null, "1");
    for (const id of ["", "x-0", "0", "-1", "x", "e-1e999", "e-2"]) expect(ring.after(id)).toBe("unknown");
    expect(ring.after("e-1")).toEqual([]);
  });

  test("keeps the newest within its bounds, and says when something between is forgotten", () => {
    const few = new EventRing({ events: 3, bytes: 1_000_000 }, "e");
    for (let n = 1; n <= 10; n++) few.push("t", null, String(n));
    const seqs = (ring: EventRing, id: string) => {
      const events = ring.after(id);
      return typeof events === "string" ? events : events.map(({ seq }) => seq);
    };
    expect(seqs(few, "e-7")).toEqual([8, 9, 10]);
    expect(seqs(few, "e-6")).toBe("too_old");
    const small = new EventRing({ events: 1_000, bytes: 300 }, "e");
    for (let n = 1; n <= 10; n++) small.push("t", null, "x".repeat(70));
    expect(seqs(small, "e-7")).toEqual([8, 9, 10]);
    small.push("t", null, "x".repeat(1_000));
    expect(seqs(small, "e-10")).toBe("too_old");
    expect(seqs(small, small.lastId)).toEqual([]);
    const before = small.lastId;
    small.clear();
    expect(seqs(small, before)).toBe("too_old");
    expect(small.push("t", null, "1").seq).toBe(13);
    for (let n = 1; n <= 2; n++) small.push("t", null, "x".repeat(70));
    expect(seqs(small, "e-12")).toEqual([13, 14, 15]);
    small.clear();
    for (let n = 1; n <= 3; n++) small.push("t", null, "x".repeat(70));
    expect(seqs(small, "e-16")).toEqual([17, 18, 19]);
  });
});
