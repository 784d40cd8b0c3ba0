// What an agent writes to open a session (RFC 6455 4.1, and CONNECT of RFC 9110 9.3.6), and what the answer to it must say.

import { latin1 } from "../../src/lib/bytes.ts";
import type { Head } from "../../src/http1/head.ts";
import { subprotocol } from "../../src/protocol/frames.ts";
import { acceptKey } from "../../src/protocol/websocket-frames.ts";

/** The request for one upgrade; its key is used once. */
export class UpgradeRequest {
  readonly bytes: Buffer;
  private readonly accept: string | null;

  constructor(url: URL) {
    const key = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
    this.accept = acceptKey(key);
    this.bytes = Buffer.from(
      `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
      "latin1",
    );
  }

  /** What is wrong with a 101; null when nothing is. */
  mistakeIn(head: Head): string | null {
    if (!head.wantsWebSocket) return "not to a WebSocket";
    if (field(head, "sec-websocket-accept") !== this.accept) return "not to this request: its key is wrong";
    if (field(head, "sec-websocket-protocol") !== subprotocol) return `not for ${subprotocol}`;
    if (field(head, "sec-websocket-extensions") !== null) return "with an extension that was not asked for";
    return null;
  }

  retryAfter(head: Head): string | null {
    return field(head, "retry-after");
  }
}

/** Asks a proxy for a connection to the host of `url`; the name and password in the proxy's URL go with it. */
export function connectRequest(url: URL, proxy: URL): Buffer {
  const host = `${url.hostname}:${url.port || (url.protocol === "wss:" ? 443 : 80)}`;
  const [user, password] = [proxy.username, proxy.password].map(decodeURIComponent);
  const credentials = Buffer.from(`${user}:${password}`).toString("base64");
  const authorization = proxy.username === "" ? "" : `Proxy-Authorization: Basic ${credentials}\r\n`;
  return Buffer.from(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n${authorization}\r\n`, "latin1");
}

/** Whether a peer's address is of this machine. */
export function isLoopbackAddress(address: string): boolean {
  return address === "::1" || /^(?:::ffff:)?127\./.test(address);
}

/** The value of the first field called `name` (lower case); null when there is none. */
function field(head: Head, name: string): string | null {
  for (let i = 0; i < head.count; i++) {
    const [start, end] = [head.nameStart[i]!, head.nameEnd[i]!];
    if (end - start === name.length && latin1(head.bytes, start, end).toLowerCase() === name) return head.value(i);
  }
  return null;
}
