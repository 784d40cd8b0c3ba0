// PORT=0: who connects before the server has started is served by it.

import { expect, test } from "bun:test";
import { connect } from "node:net";
import { eventually } from "../../test/helpers/eventually.ts";
import { closeDescriptor } from "../lib/descriptor.ts";
import { takeAnyPort } from "./any-port.ts";

test("a connection to a port that was taken waits for whoever listens there, and the port is free with its descriptor", async () => {
  const { port, fd } = takeAnyPort("127.0.0.1");
  const early = connect(port, "127.0.0.1").on("error", () => {});
  await eventually(() => early.readyState === "open", "it is connected");
  let opened = 0;
  const at = { fd: fd! } as unknown as { hostname: string; port: number };
  const listener = Bun.listen({ ...at, socket: { open: () => void opened++, data() {} } });
  await eventually(() => opened === 1, "it is taken");
  early.destroy();
  listener.stop(true);
  using again = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  expect(again.port).toBe(port);

  const unused = takeAnyPort("127.0.0.1");
  closeDescriptor(unused.fd!);
  using free = Bun.listen({ hostname: "127.0.0.1", port: unused.port, socket: { data() {} } });
  expect(free.port).toBe(unused.port);
});
