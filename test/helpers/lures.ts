// Words of a hostile server: grants, answers, frames that name `bait` (`host:port`) wherever an agent might look for a place to connect to.

import {
  CHECK,
  CHUNKED,
  DATA,
  END,
  FIN,
  GO_AWAY,
  MORE,
  MORE_HEAD,
  NOTICE,
  OPEN,
  RAW,
  REGISTERED,
  UPGRADE,
} from "../../src/protocol/frames.ts";
import { frame } from "./hostile-agent.ts";

/** Fields that no message has. */
export function lureOf(bait: string): Record<string, unknown> {
  const [host = "", port = ""] = bait.split(":");
  return {
    ...{ host, hostname: host, localHost: host, address: host, target: bait, local: bait, upstream: `http://${bait}` },
    ...{ localPort: Number(port), spec: { localHost: host, localPort: Number(port) }, proxy: `http://${bait}` },
    ...{
      server: `http://${bait}`,
      redirect: `http://${bait}`,
      tunnels: [{ localHost: host, localPort: Number(port) }],
    },
  };
}

/** A registration that is granted. */
export function grant(bait: string, lure: Record<string, unknown>): Record<string, unknown> {
  const path = "/_tunnel/s/0";
  const session = { ...lure, url: `ws://${bait}${path}`, path, connections: 1 };
  return {
    success: true,
    subdomain: "lured",
    url: `http://${bait}`,
    tunnelId: "tun_x",
    port: Number(bait.split(":")[1]),
    ...lure,
    session,
    ticket: "t",
    tickets: ["t"],
  };
}

/** Answers to a registration that point elsewhere; none is a grant. */
export function luringAnswers(bait: string): Record<string, () => Response> {
  const redirect = (status: number) => (): Response =>
    new Response(null, { status, headers: { location: `http://${bait}/_tunnel/register` } });
  const pathOf = (path: string) => (): Response =>
    Response.json({ ...grant(bait, {}), session: { url: `ws://${bait}/`, path, connections: 1 } });
  return {
    ...Object.fromEntries([301, 302, 303, 307, 308].map((status) => [`redirect ${status}`, redirect(status)])),
    "a session at another host": pathOf(`//${bait}/_tunnel/s/0`),
    "a session at another URL": pathOf(`http://${bait}/_tunnel/s/0`),
    "a session with a user": pathOf(`@${bait}/_tunnel/s/0`),
    "a session behind a backslash": pathOf(`\\\\${bait}/_tunnel/s/0`),
    "a session with a path on top": pathOf(`/_tunnel/s/0/../../../${bait}`),
  };
}

/** Streams and orders that name `bait` in every place there is. Stream ids start at `first`. */
export function luringFrames(bait: string, first: number): { streams: number; frames: Uint8Array[] } {
  let id = first;
  // 64 KiB each way.
  const windows = Buffer.from([0, 1, 0, 0, 0, 1, 0, 0]);
  const opened = (head: string, flags: number): Buffer =>
    frame(OPEN, id++, Buffer.concat([windows, Buffer.from(head)]), { flags });
  const targets = [
    `http://${bait}/`,
    `//${bait}/`,
    `/`,
    `/\\${bait}/`,
    `${bait}`,
    `@${bait}/`,
    `/?url=http://${bait}`,
    "*",
  ];
  const fields = ["Host", "X-Forwarded-Host", "Forwarded", "X-Real-Host", "Location", "Proxy", "Upgrade"];
  const frames: Uint8Array[] = [];
  for (const method of ["GET", "CONNECT", "PROXY"])
    for (const target of targets) {
      const lines = fields.map((name) => `${name}: ${name === "Forwarded" ? `host="${bait}"` : bait}\r\n`).join("");
      frames.push(opened(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, FIN));
    }
  frames.push(
    opened(
      `GET http://${bait}/ws HTTP/1.1\r\nHost: ${bait}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
      UPGRADE | FIN,
    ),
  );
  for (const head of [
    bait,
    `http://${bait}`,
    `${bait}\r\nCONNECT ${bait} HTTP/1.1\r\n\r\n`,
    `PROXY TCP4 127.0.0.1 ${bait.replace(":", " ")} 1 1\r\n`,
  ])
    for (const flags of [RAW, RAW | CHUNKED])
      frames.push(opened(head, flags), frame(DATA, id - 1, `CONNECT ${bait} HTTP/1.1\r\n\r\n`), frame(END, id - 1));
  const begun = id;
  frames.push(
    opened(`GET / HTTP/1.1\r\nHo`, FIN | MORE),
    frame(MORE_HEAD, begun, `st: ${bait}\r\n\r\n`, { flags: FIN }),
  );
  const streams = id - first;
  const [host, port] = bait.split(":");
  const order = JSON.stringify({
    host,
    port: Number(port),
    target: bait,
    localHost: host,
    localPort: Number(port),
    url: `http://${bait}`,
  });
  frames.push(
    frame(CHECK, 7, order),
    frame(CHECK, 8),
    frame(NOTICE, 0, JSON.stringify({ level: "warn", message: `go to http://${bait}`, ...JSON.parse(order) })),
    frame(REGISTERED, 0, order),
  );
  return { streams, frames };
}

/** The last word: whatever it says, the agent asks the server of its command line again. */
export function luringGoAway(bait: string): Uint8Array {
  const [host, port] = bait.split(":");
  return frame(
    GO_AWAY,
    0,
    JSON.stringify({
      reason: "moved",
      deadlineMs: 10,
      retryable: true,
      url: `ws://${bait}`,
      host,
      port,
      server: `http://${bait}`,
    }),
  );
}
