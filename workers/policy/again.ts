// When the policy of a name changes, those who were let in before are judged again: who would not pass now is cut off.

import type { NameEntry } from "../../src/link/messages.ts";
import { judge } from "./judge.ts";
import { nothingShown, type Shown } from "./shown.ts";
import type { PolicyState } from "./state.ts";
import type { Verdict } from "./verdict.ts";

/** Somebody who is inside. */
export interface Admitted {
  readonly address: string;
  /** Kept as long as the exchange lasts; null when no policy asked for anything. */
  readonly shown: Shown | null;
  /** Ends the exchange; nothing when it has ended by itself. */
  expel(): void;
}

/** Main may be busy, above all right after a change that concerns many. */
const retryMs = 500;
const mostTries = 6;

/** Whether the two ask the same of visitors. */
export function isSamePolicy(a: NameEntry | undefined, b: NameEntry): boolean {
  return a !== undefined && JSON.stringify(a.policy) === JSON.stringify(b.policy);
}

/**
 * Judges everybody inside by `entry`, as long as `isInForce`: what comes after it judges them itself. Whoever can't be judged because main
 * is busy is judged again in a moment; after the last try he is out, as a newcomer would be.
 */
export async function judgeAgain(
  entry: NameEntry,
  inside: readonly Admitted[],
  state: PolicyState,
  isInForce: () => boolean,
  tries = mostTries,
): Promise<void> {
  if (!isInForce()) return;
  const unsure: Admitted[] = [];
  await Promise.all(
    inside.map(async (one) => {
      const verdict = await verdictOn(one, entry, state);
      if (verdict.kind === "pass" || !isInForce()) return;
      if (verdict.kind === "refuse" && verdict.code === "unavailable" && tries > 1) unsure.push(one);
      else one.expel();
    }),
  );
  if (unsure.length === 0) return;
  await Bun.sleep(retryMs);
  await judgeAgain(entry, unsure, state, isInForce, tries - 1);
}

function verdictOn({ address, shown }: Admitted, entry: NameEntry, state: PolicyState): Verdict | Promise<Verdict> {
  // Nobody tries anything here: what is wrong by now is no failure of an address.
  const asked = { method: "GET", target: "/", isOurs: false, isPreflight: false, wantsHtml: false };
  return judge({ ...asked, shown: shown ?? nothingShown, address, network: null }, entry, state);
}
