// Contract: a socket.io application through a tunnel, by each of its transports and by the upgrade from one to the other.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { Agent, createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import { patternBytes } from "../helpers/pattern.ts";
import { describeApplication } from "../helpers/services.ts";

let http: HttpServer;
let app: Server;
const left: string[] = [];

beforeAll(async () => {
  http = createServer();
  app = new Server(http, { maxHttpBufferSize: 8 * 1024 * 1024 });
  app.on("connection", (socket) => {
    socket.on("echo", (value: unknown, answer: (value: unknown) => void) => answer(value));
    socket.on("say", (word: string) => app.emit("said", word));
    socket.on("disconnect", (reason) => left.push(reason));
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
});

afterAll(() => app?.close());

const localPort = (): number => (http.address() as AddressInfo).port;

// The system's resolver may not know names below localhost; browsers and fetch do.
const toLoopback = new Agent({
  lookup: (_name, options, answer) =>
    options.all === true ? answer(null, [{ address: "127.0.0.1", family: 4 }]) : answer(null, "127.0.0.1", 4),
});

async function connected(url: string, transports: ("polling" | "websocket")[], upgrade: boolean): Promise<Socket> {
  const socket = io(url, {
    transports,
    upgrade,
    forceNew: true,
    reconnection: false,
    agent: toLoopback as unknown as string,
  });
  await new Promise<void>((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  return socket;
}

describeApplication({ name: "chat", localPort }, (application) => {
  for (const [label, transports, upgrade] of [
    ["long polling alone", ["polling"], false],
    ["WebSocket alone", ["websocket"], false],
    ["long polling, then WebSocket", ["polling", "websocket"], true],
  ] as const) {
    test(`${label}: acknowledgements, binary both ways, broadcasts`, async () => {
      const a = await connected(application().url, [...transports], upgrade);
      const b = await connected(application().url, [...transports], upgrade);
      if (upgrade && a.io.engine.transport.name !== "websocket")
        await new Promise<void>((resolve) => a.io.engine.once("upgrade", () => resolve()));
      expect(a.io.engine.transport.name).toBe(transports.at(-1)!);
      expect(await a.emitWithAck("echo", { text: "grüße", list: [1, 2, 3] })).toEqual({
        text: "grüße",
        list: [1, 2, 3],
      });
      const bytes = patternBytes(0, 1024 * 1024);
      expect(Buffer.compare(Buffer.from(await a.emitWithAck("echo", bytes)), bytes)).toBe(0);
      const heard: string[] = [];
      const all = new Promise<void>((resolve) =>
        b.on("said", (word: string) => void (heard.push(word) === 100 && resolve())),
      );
      for (let i = 0; i < 100; i++) a.emit("say", `word ${i}`);
      await all;
      expect(heard).toEqual(Array.from({ length: 100 }, (_, i) => `word ${i}`));
      const before = left.length;
      a.disconnect();
      b.disconnect();
      while (left.length < before + 2) await Bun.sleep(5);
      expect(left.slice(before)).toEqual(["client namespace disconnect", "client namespace disconnect"]);
    });
  }
});
