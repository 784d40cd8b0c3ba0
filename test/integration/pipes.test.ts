// Connections that are piped to a shard instead of moved: every byte both ways at once, half-close, TLS, dead shards.

import { expect, test } from "bun:test";
import { connectLines } from "../helpers/line-client.ts";
import { eventually, startLineServer } from "../helpers/line-server.ts";
import { testTls } from "../helpers/test-tls.ts";
import { watchDescriptors } from "../helpers/process-facts.ts";

const mebibyte = 1 << 20;

/** Sends `bytes` to an echo, half-closes, and compares what comes back. Reads while it writes. */
async function echoThrough(port: number, bytes: number, tls?: { ca: string }): Promise<void> {
  // Incompressible enough to notice a lost, doubled or swapped block: every 64 KiB block starts with its number.
  const block = crypto.getRandomValues(new Uint8Array(65536));
  const blockAt = (index: number): Uint8Array => {
    new DataView(block.buffer).setUint32(0, index);
    return block;
  };
  const sentHash = new Bun.CryptoHasher("sha1");
  const gotHash = new Bun.CryptoHasher("sha1");
  let sent = 0;
  let got = 0;
  let failed: Error | undefined;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const push = (socket: Bun.Socket<undefined>): void => {
    while (sent < bytes) {
      const from = sent % block.length;
      const written = socket.write(blockAt(Math.floor(sent / block.length)).subarray(from));
      if (written < 0) return;
      sentHash.update(block.subarray(from, from + written));
      sent += written;
      if (from + written < block.length) return;
    }
    socket.shutdown();
  };
  const start = (socket: Bun.Socket<undefined>): void => {
    socket.write("raw\n");
    push(socket);
  };
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    allowHalfOpen: true,
    ...(tls === undefined ? {} : { tls: { ...tls, serverName: "localhost" } }),
    socket: {
      ...(tls === undefined ? { open: start } : { handshake: start }),
      data(_, chunk) {
        gotHash.update(chunk);
        got += chunk.byteLength;
      },
      drain: push,
      end: () => resolve(),
      close(_, error) {
        failed = error;
        resolve();
      },
      error: (socket) => socket.terminate(),
    },
  });
  await over;
  expect(failed).toBeUndefined();
  expect([sent, got]).toEqual([bytes, bytes]);
  expect(gotHash.digest("hex")).toBe(sentHash.digest("hex"));
}

test("64 MiB each way at once through a socket pair, half-closed at the end", async () => {
  await using server = await startLineServer(1);
  const opened = watchDescriptors();
  await echoThrough(server.pipedPort, 64 * mebibyte);
  await eventually(() => opened().length === 0, "all descriptors are closed");
});

test("the same with TLS that ends in main, four at once", async () => {
  await using server = await startLineServer(1, { tls: testTls });
  const opened = watchDescriptors();
  await Promise.all(
    Array.from({ length: 4 }, () => echoThrough(server.pipedPort, 16 * mebibyte, { ca: testTls.cert })),
  );
  await eventually(() => opened().length === 0, "all descriptors are closed");
});

test("a moved connection echoes 64 MiB as well", async () => {
  await using server = await startLineServer(1);
  const client = await connectLines(server.port, "move 0\nx\n");
  await client.until("0:x\n");
  client.socket.terminate();
  await echoThrough(server.port, 64 * mebibyte);
});

test("a piped connection is told when its shard dies, and the shard when the visitor resets", async () => {
  await using server = await startLineServer(1);
  const visitor = await connectLines(server.pipedPort, "x\n");
  await visitor.until("0:x\n");
  server.supervisor.replace(0, "the test kills it");
  await visitor.closed;
  await eventually(() => server.heard.at(-1) === "ready 0" && server.heard.length === 3, "shard 0 is up again");
  const second = await connectLines(server.pipedPort, "x\n");
  await second.until("0:x\n");
  expect(server.counts.total()).toBe(1);
  second.socket.terminate();
  await eventually(() => server.counts.total() === 0, "the shard's end is closed");
});
