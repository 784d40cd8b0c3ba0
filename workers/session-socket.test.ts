// The socket under a session: what an agent that doesn't read may leave with us.

import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { connect } from "node:net";
import { eventually } from "../test/helpers/eventually.ts";
import { ownerHandlers } from "../src/ingress/handlers.ts";
import type { SocketOwner } from "../src/ingress/visitor-socket.ts";
import { SessionSocket } from "./session-socket.ts";

describe("security", () => {
  test("WebSocket pings of an agent that doesn't read are not answered ahead", async () => {
    let session: SessionSocket | null = null;
    let received = 0;
    using listener = Bun.listen<SocketOwner>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        ...ownerHandlers,
        open: (socket: Socket<SocketOwner>) => void (socket.data = session = new SessionSocket(socket)),
        data(socket, chunk) {
          received += chunk.length;
          ownerHandlers.data(socket, chunk);
        },
      },
    });
    const ping = Buffer.concat([Buffer.from([0x89, 0xfd, 0, 0, 0, 0]), Buffer.alloc(125)]);
    const pings = Buffer.concat(Array.from({ length: 200_000 }, () => ping));
    const agent = connect(listener.port, "127.0.0.1");
    agent.pause();
    agent.write(pings);
    await eventually(() => received === pings.length, "all of them were read");
    expect(session!.backlogBytes).toBeLessThan(64 * 1024);
    agent.destroy();
  });
});
