// The server's own certificate: read from its files, and taken up again when they change.

import { readFileSync, unwatchFile, watchFile } from "node:fs";
import type { TLSOptions } from "bun";
import type { Config } from "../config/config.ts";
import { AppError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { PublicListener } from "./listener.ts";

type Files = Pick<Config, "tlsCert" | "tlsKey">;

const lookEveryMs = 1_000;
/** Certificate and key are written around the same time: wait for both. */
const settleMs = 500;

/** What `TLS_CERT` and `TLS_KEY` hold by now; null without them. Throws one sentence when they can't be read. */
export function readTls({ tlsCert, tlsKey }: Files): TLSOptions | null {
  if (tlsCert === null || tlsKey === null) return null;
  try {
    return { cert: readFileSync(tlsCert, "utf8"), key: readFileSync(tlsKey, "utf8") };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError("validation", `TLS_CERT and TLS_KEY must be readable files: ${why}.`);
  }
}

/** Gives `listener` each new pair; one that does not work is reported, and the old one stays. Until the returned function is called. */
export function watchTls(files: Files, listener: PublicListener, log: Logger): () => void {
  let timer: Timer | undefined;
  const changed = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      try {
        const tls = readTls(files);
        if (tls !== null) listener.reloadTls(tls);
        log.info("new TLS certificate in use");
      } catch (error) {
        log.error("the new TLS certificate can't be used; the old one stays", {
          error: error instanceof Error ? error.message : String(error),
        });
      }
    }, settleMs);
  };
  const paths = [files.tlsCert, files.tlsKey].filter((path) => path !== null);
  // Looked at again and again, not `watch`: that one follows a file, and renewals put links to other files in its place.
  for (const path of paths) watchFile(path, { interval: lookEveryMs, persistent: false }, changed);
  return () => {
    clearTimeout(timer);
    for (const path of paths) unwatchFile(path, changed);
  };
}
