// What is known of a WebSocket: how it stands or ended, and how much went through it.

import type { JSX } from "solid-js";
import type { Socket } from "../../cli/inspector/types.ts";
import { Clip } from "../src/ui/clip.tsx";
import { formatBytes, plural } from "../src/ui/format.ts";
import { Fact } from "../src/ui/page.tsx";

const people = { visitor: "the visitor", service: "the local service" };

/** Close codes (RFC 6455 7.4.1) need no number to be remembered for. */
const meanings: Readonly<Record<number, string>> = {
  1000: "normal",
  1001: "going away",
  1002: "protocol error",
  1003: "unsupported data",
  1007: "invalid data",
  1008: "policy",
  1009: "too big",
  1010: "extension missing",
  1011: "internal error",
  1012: "restart",
  1013: "try again later",
};

function stateOf({ closed }: Socket, isOpen: boolean): string {
  if (closed === null) return isOpen ? "open" : "ended without a close frame";
  const code = closed.code === null ? "without a code" : String(closed.code);
  const meaning = meanings[closed.code ?? 0];
  const words = [`${isOpen ? "being closed" : "closed"} by ${people[closed.by]}:`, code];
  if (meaning !== undefined) words.push(`(${meaning})`);
  if (closed.reason !== "") words.push(`“${closed.reason}”`);
  return words.join(" ");
}

export function SocketView(props: { socket: Socket; isOpen: boolean }): JSX.Element {
  const passed = ({ messages, bytes }: Socket["visitor"]): string =>
    `${plural(messages, "message")}, ${formatBytes(bytes)}`;
  return (
    <section class="stack-tight" aria-labelledby="socket">
      <h3 id="socket">WebSocket</h3>
      <dl class="facts">
        <Fact name="State">
          <Clip text={stateOf(props.socket, props.isOpen)} limit={200} />
        </Fact>
        <Fact name="From the visitor">{passed(props.socket.visitor)}</Fact>
        <Fact name="From the local service">{passed(props.socket.service)}</Fact>
      </dl>
    </section>
  );
}
