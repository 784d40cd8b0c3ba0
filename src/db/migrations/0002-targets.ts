// What agents forward to, as they say: kept with leases and with the history of tunnels, for rows of who went offline.

import type { ColumnTypes } from "../migrate.ts";

/** The statements of this migration, in order. A released migration never changes: write the next one. */
export function targets({ text }: ColumnTypes): string[] {
  return [
    `alter table leases add column target ${text}`,
    `alter table tunnels add column target ${text}`,
    `create index ix_tunnels__closed on tunnels (closed_at, id)`,
  ];
}
