// How many applications, keys and members one organization may have: shards and database hold what its admin makes.

import { countOwned, type Owned } from "../../db/organizations.ts";
import type { Trx } from "../../db/database.ts";
import { holdRow } from "../../db/hold.ts";
import { AppError } from "../../lib/errors.ts";

/** By table, from the settings. */
export type Room = Readonly<Record<Owned, number>>;

const words: Record<Owned, { things: string; setting: string }> = {
  applications: { things: "applications", setting: "MAX_APPLICATIONS_PER_ORGANIZATION" },
  api_keys: { things: "API keys", setting: "MAX_API_KEYS_PER_ORGANIZATION" },
  accounts: { things: "members, deactivated ones included", setting: "MAX_MEMBERS_PER_ORGANIZATION" },
};

/** Throws `conflict` when the organization has as many as it may have. Until `trx` ends nobody else adds one to it. */
export async function checkRoom(trx: Trx, room: Room, what: Owned, orgId: string): Promise<void> {
  await holdRow(trx, "organizations", orgId);
  if ((await countOwned(trx, what, orgId)) < room[what]) return;
  const { things, setting } = words[what];
  throw new AppError(
    "conflict",
    `The organization has ${room[what]} ${things}: as many as it may have (${setting}). Delete some first.`,
  );
}

/** For the documentation of the route that adds one. */
export const roomText = (what: Owned): string =>
  `An organization has at most ${words[what].setting} (1,000 unless set) ${words[what].things}; one more is refused (409).`;
