// A real node:http server in a real Node process that tells what it read on each connection.

import type { ParseResult } from "./parsed-message.ts";

// Runs in Node. One JSON line per fact, with the client's port as the connection's name.
const program = `
const http = require("node:http");
const say = (fact) => process.stdout.write(JSON.stringify(fact) + "\\n");
const answer = (req, res) => {
  const port = req.socket.remotePort;
  const parts = [];
  req.on("data", (part) => parts.push(part));
  req.on("error", () => {});
  req.on("end", () => {
    if (!req.complete) return;
    say({ port, message: { method: req.method, target: req.url, status: 0, fields: pairs(req.rawHeaders),
      body: Buffer.concat(parts).toString("latin1"), trailers: pairs(req.rawTrailers) } });
    res.end();
  });
};
const server = http.createServer({ maxHeaderSize: 128 * 1024, insecureHTTPParser: false }, answer);
// Else an unknown Expect is answered with 417 by Node itself.
server.on("checkExpectation", answer);
const pairs = (raw) => Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i], raw[2 * i + 1]]);
server.on("clientError", (error, socket) => { say({ port: socket.remotePort, refused: error.code ?? "error" }); socket.destroy(); });
server.on("connection", (socket) => { const port = socket.remotePort; socket.on("close", () => say({ port, closed: true })); });
server.listen(0, "127.0.0.1", () => say({ listening: server.address().port }));
process.stdin.on("end", () => process.exit(0)).resume();
`;

interface Fact {
  port?: number;
  listening?: number;
  message?: ParseResult["messages"][number];
  refused?: string;
  closed?: true;
}

/** A Node process with its HTTP server; stops when disposed. */
export interface NodeHttp extends AsyncDisposable {
  /** Sends `bytes` on a connection of its own, closes our direction and tells what the server made of them. */
  parse(bytes: Buffer): Promise<ParseResult>;
}

/** Starts `node`, which the machine must have. */
export async function startNodeHttp(): Promise<NodeHttp> {
  const child = Bun.spawn(["node", "-e", program], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const results = new Map<number, ParseResult>();
  const waiting = new Map<number, () => void>();
  const listening = Promise.withResolvers<number>();
  const resultOf = (port: number): ParseResult => {
    let result = results.get(port);
    if (result === undefined) results.set(port, (result = { messages: [], refused: null, open: false, closed: false }));
    return result;
  };
  const take = (fact: Fact): void => {
    if (fact.listening !== undefined) return listening.resolve(fact.listening);
    const result = resultOf(fact.port!);
    if (fact.message !== undefined) result.messages.push(fact.message);
    if (fact.refused !== undefined) result.refused = fact.refused;
    if (fact.closed) {
      result.closed = true;
      waiting.get(fact.port!)?.();
    }
  };
  const reading = (async () => {
    const decoder = new TextDecoder();
    let unread = "";
    for await (const part of child.stdout) {
      const lines = (unread + decoder.decode(part, { stream: true })).split("\n");
      unread = lines.pop()!;
      for (const line of lines) take(JSON.parse(line) as Fact);
    }
  })();
  const port = await listening.promise;

  const parse = async (bytes: Buffer): Promise<ParseResult> => {
    const done = Promise.withResolvers<void>();
    let ours = 0;
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket: {
        open(socket) {
          ours = socket.localPort;
          socket.write(bytes);
          socket.shutdown();
        },
        data() {},
        end() {},
        error() {},
      },
    });
    waiting.set(ours, done.resolve);
    if (results.get(ours)?.closed) done.resolve();
    await done.promise;
    socket.end();
    const result = resultOf(ours);
    results.delete(ours);
    waiting.delete(ours);
    return result;
  };

  return {
    parse,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
      await reading;
    },
  };
}
