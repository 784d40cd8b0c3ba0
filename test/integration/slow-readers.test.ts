// A visitor that took much at first and reads slowly from then on: it is not taken for one that has stopped.

import { expect, setDefaultTimeout, test } from "bun:test";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { startTestServer } from "../helpers/server.ts";

setDefaultTimeout(60_000);

test("the kernel's buffers are large: what they take from us in pieces of megabytes still moves", async () => {
  // The visitor's own kernel opens its window again in steps of a sixteenth of the largest receive buffer: 2 MiB where that is 32 MiB, which
  // takes eight seconds at this speed and is nobody's fault. Without looking again by itself the server saw nothing for 19 s.
  await using server = await startTestServer({ WRITE_PROGRESS_TIMEOUT_MS: "12000", BODY_PROGRESS_TIMEOUT_MS: "12000" });
  using service = startLocalService();
  await using _agent = await startTestAgent({ server, subdomain: "demo", localPort: service.port });
  let received = 0;
  let isOver = false;
  const readPerStep = 64 * 1024;
  const startedAt = performance.now();
  const visitor = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    socket: {
      data(socket, chunk) {
        received += chunk.length;
        if (performance.now() - startedAt < 300) return;
        // About a quarter of a megabyte per second.
        socket.pause();
        setTimeout(() => socket.resume(), (chunk.length / readPerStep) * 250);
      },
      close: () => void (isOver = true),
      error: () => void (isOver = true),
    },
  });
  visitor.write("GET /size/4000000000 HTTP/1.1\r\nHost: demo.localhost\r\n\r\n");
  await eventually(() => isOver || performance.now() - startedAt > 27_000, "it has read slowly for a while", 35_000);
  expect([isOver, received > 1_000_000]).toEqual([false, true]);
  visitor.terminate();
});
