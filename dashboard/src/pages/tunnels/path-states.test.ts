// The way of a request: nothing is green unless the agent is connected and the local service has answered.

import { expect, test } from "bun:test";
import { pathStates } from "./path-states.ts";

const local = { provenAt: "2030-01-01T00:00:00.000Z", since: null, connectMs: 1, why: null };
const tonesOf = (connected: boolean, state: "up" | "down" | "unknown", open = false) => {
  const { visitor, server, agent, local: service } = pathStates({ connected, local: { ...local, state } }, open);
  return [visitor, server, agent, service].map(({ tone, line }) => `${tone} ${line ?? ""}`.trim());
};

test.each([
  ["answered", true, "up", ["idle good", "good good", "good good", "good"]],
  ["down", true, "down", ["idle idle", "accent accent", "accent bad", "bad"]],
  ["unproven", true, "unknown", ["idle idle", "accent accent", "accent warn", "warn"]],
  ["offline, whatever was proven before", false, "up", ["idle idle", "idle bad", "bad idle", "idle"]],
] as const)("%s", (_, connected, state, tones) => {
  expect(tonesOf(connected, state)).toEqual([...tones]);
});

test("green needs both, for every part and every line", () => {
  for (const open of [false, true]) {
    for (const connected of [false, true]) {
      for (const state of ["up", "down", "unknown"] as const) {
        if (connected && state === "up") continue;
        expect(tonesOf(connected, state, open).join(" ")).not.toContain("good");
      }
    }
  }
});
