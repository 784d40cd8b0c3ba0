// When something was last used: worth a note, and not worth refusing the use.

import { StorageFailure } from "../db/engine.ts";
import type { Logger } from "../lib/log.ts";

/** Waits for `note`. That the database can't be written now goes to the log, and keeps nobody from what may be read. */
export async function noteUse(log: Logger, what: string, note: Promise<void>): Promise<void> {
  try {
    await note;
  } catch (error) {
    if (!(error instanceof StorageFailure)) throw error;
    log.warn("the last use of something could not be noted", { what, error: error.message });
  }
}
