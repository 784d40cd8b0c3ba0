// A shard's own port: how long an agent's ticket is waited for.

import { expect, test } from "bun:test";
import { eventually } from "../test/helpers/eventually.ts";
import { fakeVisitor, ingressLimits, requestText } from "../test/helpers/fake-visitor.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import { createCidrList } from "../src/lib/cidr.ts";
import { AgentPort, type AgentPortOptions } from "./agent-port.ts";

test("each upgrade on a connection that a proxy keeps waits for its own ticket", async () => {
  let looked = 0;
  const door = {
    open: () => (looked++, false),
    refuse: (connection: VisitorConnection) => (connection.answer("bad_ticket"), true),
  };
  const options = { shard: 0, settings: ingressLimits, trusted: createCidrList([]), door };
  const port = new AgentPort(options as unknown as AgentPortOptions);
  const proxy = fakeVisitor((connection, head) => port.route(connection, head));
  for (const most of [5, 10]) {
    proxy.send(requestText("GET /_tunnel/s/0?ticket=late", "Host: tunnel.test"));
    await eventually(() => proxy.take().startsWith("HTTP/1.1 403 "), "the ticket is given up");
    expect(looked).toBe(most);
  }
});
