// One visitor request on a connection of its own, with the answer or the way in which there was none.

import { requestOnce, type RawResponse, type ResponseOptions } from "./raw-client.ts";
import { valuesOf } from "./strict-http.ts";

export interface VisitOptions extends ResponseOptions {
  method?: string;
  body?: string;
  id?: string;
}

/** Asks `NAME.localhost`; `localhost` is the base domain itself. Rejects when the connection broke or the answer was cut off. */
export function visit(port: number, name: string, path: string, options: VisitOptions = {}): Promise<RawResponse> {
  const { method = "GET", body = "", id = "" } = options;
  const length = method === "GET" ? "" : `Content-Length: ${body.length}\r\n`;
  const host = name === "localhost" ? name : `${name}.localhost`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Id: ${id}\r\nConnection: close\r\n${length}\r\n`;
  return requestOnce({ port }, head + body, options);
}

/** The answer's `X-Service`: who gave it. */
export function serviceOf(response: RawResponse): string {
  return valuesOf(response.fields, "x-service")[0] ?? "";
}

/** The status, or "broken". */
export async function statusOf(answer: Promise<RawResponse>): Promise<number | "broken"> {
  return answer.then(
    ({ status }) => status,
    () => "broken",
  );
}

/** Visits one after the other until `stop`, and counts what came back. */
export function keepVisiting(
  port: number,
  name: string,
  path = "/",
): { counts: Record<string, number>; stop(): Promise<Record<string, number>> } {
  const counts: Record<string, number> = {};
  let stopped = false;
  const done = (async () => {
    while (!stopped) {
      const status = String(await statusOf(visit(port, name, path)));
      counts[status] = (counts[status] ?? 0) + 1;
      // Hundreds a second show as much as thousands, and leave the machine to the others.
      await Bun.sleep(3);
    }
  })();
  return {
    counts,
    async stop() {
      stopped = true;
      await done;
      return counts;
    },
  };
}
