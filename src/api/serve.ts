// Serves the API on a unix socket inside this process; the ingress is its only client.

import http from "node:http";
import type { Server } from "bun";
import { AppError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Api } from "./app.ts";
import { securityHeaders } from "./headers.ts";
import { factsOf } from "./request.ts";

// Typed without idleTimeout, which the types know for TCP only; the server honours it for unix sockets too.
const limits: { maxRequestBodySize: number } = Object.assign(
  // None of Bun's: it would answer with nothing. The API refuses by the declared length, or when it has read too much.
  { maxRequestBodySize: Number.MAX_SAFE_INTEGER },
  // Never: the relay in front has its own deadlines, and event streams are silent for long.
  { idleTimeout: 0 },
);

/** For what the gate lets through and the relay adds to it. Bun takes 16 KiB, and answers more with an empty 431; only here it can be told. */
const maxHeadBytes = 68 * 1024;

/**
 * Listens at `socketPath` (in a 0700 directory: whoever reaches it bypasses the gate). `https` decides about HSTS. The
 * caller stops the server.
 */
export function serveApi(api: Api, socketPath: string, options: { https: boolean; log: Logger }): Server<undefined> {
  Object.assign(http, { maxHeaderSize: maxHeadBytes });
  return Bun.serve({
    unix: socketPath,
    development: false,
    ...limits,
    async fetch(request) {
      try {
        return await api.fetch(request);
      } catch (error) {
        // Elysia answers errors itself; what arrives here is a fault of the frame around it.
        options.log.error("the API threw", { error: String(error), requestId: factsOf(request).requestId });
        return Response.json(new AppError("internal").toBody(factsOf(request).requestId), {
          status: 500,
          headers: securityHeaders(options.https),
        });
      }
    },
    error(error) {
      options.log.error("the API's server failed", { error: String(error) });
      return Response.json(new AppError("internal").toBody(), { status: 500, headers: securityHeaders(options.https) });
    },
  });
}
