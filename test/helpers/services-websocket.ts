// A WebSocket service and visitors of npm's `ws` (the real one: Bun replaces a plain import of it by its own client).

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type WebSocketType from "ws";
import type { ClientOptions, WebSocketServer as WebSocketServerType } from "ws";

// The path, not the name, is what gets the package itself.
const real = (await import("../../node_modules/ws/wrapper.mjs" as string)) as {
  WebSocket: typeof WebSocketType;
  WebSocketServer: typeof WebSocketServerType;
};

/** What the service saw of a socket's end. */
export interface SeenClose {
  target: string;
  code: number;
  reason: string;
}

export interface WebSocketService extends Disposable {
  readonly port: number;
  readonly closes: SeenClose[];
  readonly open: number;
}

/**
 * Echoes messages and answers pings. `/close/CODE/REASON` closes at once, `/refuse` answers 401, `/hello` sends before it hears,
 * `/cut` breaks the connection without a close frame. The first offered subprotocol is chosen.
 */
export async function startWebSocketService(): Promise<WebSocketService> {
  const closes: SeenClose[] = [];
  let open = 0;
  const http = createServer((_request, response) => response.writeHead(404).end());
  const server = new real.WebSocketServer({
    noServer: true,
    maxPayload: 256 * 1024 * 1024,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => offered.values().next().value ?? false,
  });
  http.on("upgrade", (request, socket, head) => {
    const target = request.url ?? "";
    if (target.startsWith("/refuse")) {
      socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope");
      return;
    }
    server.handleUpgrade(request, socket, head, (ws) => {
      open++;
      ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
      ws.on("close", (code, reason) => {
        open--;
        closes.push({ target, code, reason: reason.toString() });
      });
      // A visitor that breaks the protocol: `close` follows.
      ws.on("error", () => ws.terminate());
      const [, what, code, reason] = target.split("/");
      if (what === "close") ws.close(Number(code), reason);
      else if (what === "hello") ws.send("hello");
      else if (what === "cut") ws.terminate();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    port: (http.address() as AddressInfo).port,
    closes,
    get open() {
      return open;
    },
    [Symbol.dispose]() {
      for (const client of server.clients) client.terminate();
      http.closeAllConnections();
      http.close();
    },
  };
}

export interface WebSocketVisitor extends Disposable {
  readonly ws: WebSocketType;
  /** The next message. */
  message(): Promise<{ data: Buffer; isBinary: boolean }>;
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** Opens a WebSocket as a visitor of `host`; rejects with the status when it is refused. */
export async function openWebSocket(
  at: { port: number; host: string; target: string },
  options: ClientOptions & { protocols?: string[] } = {},
): Promise<WebSocketVisitor> {
  const { protocols = [], ...rest } = options;
  const ws = new real.WebSocket(`ws://127.0.0.1:${at.port}${at.target}`, protocols, {
    maxPayload: 256 * 1024 * 1024,
    ...rest,
    headers: { Host: at.host, ...rest.headers },
  });
  const arrived: { data: Buffer; isBinary: boolean }[] = [];
  const waiting: ((message: { data: Buffer; isBinary: boolean }) => void)[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const opened = Promise.withResolvers<void>();
  ws.on("message", (data, isBinary) => {
    const message = { data: data as Buffer, isBinary };
    const waiter = waiting.shift();
    if (waiter === undefined) arrived.push(message);
    else waiter(message);
  });
  ws.on("open", () => opened.resolve());
  ws.on("error", (error) => opened.reject(error));
  ws.on("close", (code, reason) => closed.resolve({ code, reason: reason.toString() }));
  await opened.promise;
  return {
    ws,
    message() {
      const message = arrived.shift();
      return message === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(message);
    },
    closed: closed.promise,
    [Symbol.dispose]: () => ws.terminate(),
  };
}
