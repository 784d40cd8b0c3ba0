// An agent's upgrade as the shard's own session server gets it: rebuilt from what the gate let through.

import { HOST, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION } from "../src/http1/fields.ts";
import type { Head } from "../src/http1/head.ts";
import { peerHeader } from "../src/ingress/session-peer.ts";

/** The bytes of the upgrade request, or null when `head` is no WebSocket upgrade. `address`: the agent's own peer address. */
export function sessionRequest(head: Head, address: string): Buffer | null {
  const key = head.only(SEC_WEBSOCKET_KEY);
  const version = head.only(SEC_WEBSOCKET_VERSION);
  if (!head.wantsWebSocket || head.method !== "GET" || key === null || version === null) return null;
  const lines = [
    `GET ${head.target} HTTP/1.1`,
    `Host: ${head.only(HOST)}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Key: ${key}`,
    `Sec-WebSocket-Version: ${version}`,
    `${peerHeader}: ${address}`,
  ];
  // A browser says Origin: the session server refuses those.
  if (head.has(ORIGIN)) lines.push("Origin: null");
  for (let i = 0; i < head.count; i++) {
    const name = Buffer.from(head.bytes.subarray(head.nameStart[i]!, head.nameEnd[i]!)).toString("latin1");
    if (name.toLowerCase() === "sec-websocket-protocol") lines.push(`Sec-WebSocket-Protocol: ${head.value(i)}`);
  }
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}
