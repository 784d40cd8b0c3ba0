// A forward proxy of a company: plain requests in absolute form, CONNECT for the rest; every name leads to one port here.

import { createServer, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export interface HttpProxy extends AsyncDisposable {
  readonly port: number;
  /** `METHOD TARGET` of everything that was asked of it. */
  readonly asked: readonly string[];
}

/** Listens on a free port of 127.0.0.1; whatever host it is asked for, it connects to 127.0.0.1:`target`. */
export async function startHttpProxy(target: number): Promise<HttpProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = createServer((incoming, answer) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    const { pathname, search } = new URL(incoming.url ?? "");
    const options = { port: target, method: incoming.method, path: pathname + search, headers: incoming.headers };
    const onward = request({ ...options, host: "127.0.0.1" }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    incoming.pipe(onward);
  });
  proxy.on("connect", (incoming, client: Socket) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    const onward = connect(target, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      client.pipe(onward).pipe(client);
    });
    for (const socket of [client, onward]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    port: (proxy.address() as AddressInfo).port,
    asked,
    [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      proxy.closeAllConnections();
      return new Promise<void>((resolve) => void proxy.close(() => resolve()));
    },
  };
}
