// Strangers that send most of a large body to the control plane, and then nothing: it holds no more than so much of them.

import { expect, setDefaultTimeout, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";

setDefaultTimeout(30_000);

const mib = 1024 * 1024;
const mostMib = 32;

test.each([
  [`Content-Length: ${mib}`, ""],
  ["Transfer-Encoding: chunked", `${mib.toString(16)}\r\n`],
])(
  "security: %s: of bodies that never end 32 MiB are held, and others are served meanwhile",
  async (framing, begin) => {
    await using server = await startServerProcess({ shards: 1 });
    const api = adminApi(server);
    const size = mostMib + 24;
    const statuses: number[] = [];
    const head = `POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`;
    const strangers: RawClient[] = [];
    for (let i = 0; i < size; i++) {
      const client = await RawClient.open(server);
      strangers.push(client);
      void client.response({ timeoutMs: 30_000 }).then(
        ({ status }) => statuses.push(status),
        () => {},
      );
      await client.send(head + begin);
      await client.send(Buffer.alloc(mib - 1, " "));
    }
    await eventually(() => statuses.length >= size - mostMib, "those who began first read that they shall try again");
    expect(new Set(statuses)).toEqual(new Set([503]));
    // What is free of each is beside it.
    expect(statuses.length).toBeLessThanOrEqual(size - mostMib + 1);
    // Small bodies, and large ones that come in one go.
    expect((await api.call("POST", "/auth/login", { username: "nobody", password: "wrong wrong" })).status).toBe(401);
    expect((await api.call("POST", "/admin/organizations", { name: "x".repeat(mib / 2) })).status).toBe(422);
    for (const { socket } of strangers) socket.destroy();
  },
);
