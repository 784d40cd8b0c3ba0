// Why the public port cannot be had, as one sentence that says what to do.

import type { Config } from "../config/config.ts";
import { AppError } from "../lib/errors.ts";

/** What is thrown instead of `error`, which `Bun.listen` threw for these settings; an AppError stays as it is. */
export function explainListen(error: unknown, config: Pick<Config, "host" | "port" | "listenFd">): Error {
  if (error instanceof AppError) return error;
  const code = (error as { code?: string } | null)?.code;
  if (code?.startsWith("ERR_OSSL") === true) {
    const why = String((error as Error).message)
      .split(":")
      .at(-1);
    return new AppError("validation", `TLS_CERT and TLS_KEY must be a certificate and its private key (PEM): ${why}.`);
  }
  if (config.listenFd !== null)
    return new AppError("validation", `LISTEN_FD is ${config.listenFd}, and that is no listening socket.`);
  if (code === "EADDRINUSE")
    return new AppError(
      "conflict",
      `Port ${config.port} is taken by another program. Stop it or set PORT to a free one.`,
    );
  if (code === "EACCES")
    return new AppError(
      "forbidden",
      `Port ${config.port} needs more rights than this user has. Set PORT to 1024 or higher, or grant CAP_NET_BIND_SERVICE.`,
    );
  if (code === "EADDRNOTAVAIL")
    return new AppError("validation", `HOST is ${config.host}, and that is no address of this machine.`);
  return error instanceof Error ? error : new Error(String(error));
}
