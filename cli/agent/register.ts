// The registration call: asks the server for a tunnel, and says plainly why there is none.

import type { AgentOptions, TunnelSpec } from "./types.ts";
import { proxyFor } from "./proxy-env.ts";
import { isObject, refusedBy, strangeAnswer, type Refusal } from "./refusal.ts";
import { unreachableText } from "./unreachable.ts";

/** What a granted registration says. */
export interface Registration {
  subdomain: string;
  url: string;
  tunnelId: string;
  port: number | null;
  /** One per session that may be opened now; each works once, for a minute. */
  tickets: string[];
  /** Path of the session's WebSocket, `/_tunnel/s/<shard>`; the ticket is added as a query. */
  sessionPath: string;
}

export interface RegisterRequest {
  agentId: string;
  generation: number;
  /** The name of the last registration when the server chose it, so that it is kept. */
  subdomain: string | null;
  /** The port of a TCP tunnel's last registration, so that it is kept; `spec.remotePort` goes before it. */
  port: number | null;
  spec: TunnelSpec;
  /** What the tunnel leads to, for people who look at the server. */
  target: string;
  /** Sessions to open now; null leaves it to the server. */
  connections: number | null;
}

const timeoutMs = 15_000;

/** Registers once. Never rejects: no server, a proxy's page and rubbish are retryable refusals; a redirect is a permanent one. */
export async function register(options: AgentOptions, request: RegisterRequest): Promise<Registration | Refusal> {
  const url = new URL("/_tunnel/register", options.server);
  const proxy = proxyFor(url, process.env);
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        authorization: `Bearer ${options.token}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        ...(request.subdomain === null ? {} : { subdomain: request.subdomain }),
        ...portOf(request),
        agentId: request.agentId,
        generation: request.generation,
        version: options.version,
        capabilities: [],
        pool: options.pool,
        protocol: request.spec.protocol,
        ...(request.connections === null ? {} : { connections: request.connections }),
        // The server takes nothing else; a host of other letters is simply not shown there.
        ...(/^[!-~]{1,255}$/.test(request.target) ? { target: request.target } : {}),
      }),
      proxy,
    });
  } catch (error) {
    return unreachable(`${url.host} can't be reached (${unreachableText(error, url, proxy)})`);
  }
  const { status, headers } = response;
  const body: unknown = await response.json().catch(() => null);
  const [retryAfter, location] = [headers.get("retry-after"), headers.get("location")];
  const said = response.ok ? granted(body) : refusedBy(url, { status, retryAfter, location, body });
  return said ?? unreachable(`${url.host} ${strangeAnswer(status)}`);
}

function portOf({ spec: { remotePort }, port }: RegisterRequest): { port?: number; exactPort?: true } {
  if (remotePort !== undefined) return { port: remotePort, exactPort: true };
  return port === null ? {} : { port };
}

function granted(body: unknown): Registration | null {
  if (
    isObject(body) &&
    typeof body["url"] === "string" &&
    typeof body["tunnelId"] === "string" &&
    isObject(body["session"])
  ) {
    const session = body["session"];
    const path = session["path"];
    const tickets = Array.isArray(body["tickets"]) ? body["tickets"] : [body["ticket"]];
    if (typeof path === "string" && /^\/_tunnel\/s\/\d+(?:\?|$)/.test(path)) {
      return {
        subdomain: typeof body["subdomain"] === "string" ? body["subdomain"] : "",
        url: body["url"],
        tunnelId: body["tunnelId"],
        port: typeof body["port"] === "number" ? body["port"] : null,
        tickets: tickets.filter((one) => typeof one === "string"),
        sessionPath: path.split("?", 1)[0]!,
      };
    }
  }
  return null;
}

function unreachable(message: string): Refusal {
  return { code: "unreachable", message: `${message}.`, retryable: true, retryAfterMs: null };
}
