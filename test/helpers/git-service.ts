// A tiny HTTP server around `git http-backend`: what people put behind a tunnel to share a repository.

import { join } from "node:path";

export interface GitService extends AsyncDisposable {
  readonly port: number;
}

const backend = join(Bun.spawnSync(["git", "--exec-path"]).stdout.toString().trim(), "git-http-backend");

/** Serves every repository below `folder`, for reading and writing. */
export function startGitService(folder: string): GitService {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    maxRequestBodySize: 1024 * 1024 * 1024,
    development: false,
    fetch: (request) => runBackend(folder, request),
  });
  return { port: server.port ?? 0, [Symbol.asyncDispose]: () => server.stop(true) };
}

/** One CGI call (RFC 3875), streaming both ways. */
async function runBackend(folder: string, request: Request): Promise<Response> {
  const url = new URL(request.url);
  const child = Bun.spawn([backend], {
    env: {
      PATH: process.env.PATH ?? "",
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: request.headers.get("git-protocol") ?? "",
      REMOTE_USER: "tester",
      REMOTE_ADDR: "127.0.0.1",
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers.get("content-type") ?? "",
      CONTENT_LENGTH: request.headers.get("content-length") ?? "",
      HTTP_CONTENT_ENCODING: request.headers.get("content-encoding") ?? "",
    },
    stdin: request.body ?? "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  let bytes = Buffer.alloc(0);
  let end = -1;
  while ((end = bytes.indexOf("\r\n\r\n")) < 0) {
    const { value, done } = await reader.read();
    if (done) return new Response("the backend said nothing", { status: 500 });
    bytes = Buffer.concat([bytes, value]);
  }
  const headers = new Headers();
  let status = 200;
  for (const line of bytes.toString("latin1", 0, end).split("\r\n")) {
    const [name, value] = [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()];
    if (name === "Status") status = Number.parseInt(value, 10);
    else headers.set(name, value);
  }
  const rest = bytes.subarray(end + 4);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (rest.length > 0 && controller.enqueue(rest)),
    async pull(controller) {
      const { value, done } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => child.kill(),
  });
  return new Response(body, { status, headers });
}
