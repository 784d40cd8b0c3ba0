// Contract: server-sent events through a tunnel, read by an EventSource: one by one, silent for long, resumed after a break.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { EventSource } from "eventsource";
import { eventually } from "../helpers/eventually.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { describeApplication } from "../helpers/services.ts";
import { visit } from "../helpers/visit.ts";

interface Client {
  lastEventId: string | null;
  send(text: string): void;
  cut(): void;
}

let clients: Client[] = [];
let gone = 0;
let app: Bun.Server<undefined>;

beforeAll(() => {
  app = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, development: false, fetch: events });
});
afterAll(() => app?.stop(true));

const localPort = (): number => app.port ?? 0;

// Short deadlines, none of which may end a stream that is merely quiet.
const env = {
  // On a busy machine fifty answers that begin at once take a while.
  REQUEST_TIMEOUT_MS: "2000",
  HEAD_TIMEOUT_MS: "2000",
  IDLE_TIMEOUT_MS: "300",
  BODY_PROGRESS_TIMEOUT_MS: "300",
  WRITE_PROGRESS_TIMEOUT_MS: "300",
};

function events(request: Request): Response | Promise<Response> {
  if (request.url.endsWith("/never")) return new Promise(() => {});
  const body = new ReadableStream<string>({
    start(controller) {
      controller.enqueue("retry: 20\n\n");
      clients.push({
        lastEventId: request.headers.get("last-event-id"),
        send: (text) => controller.enqueue(text),
        cut: () => controller.error(new Error("cut by the test")),
      });
    },
    cancel: () => void gone++,
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" } });
}

describeApplication({ name: "events", localPort, env }, (application) => {
  test("each event arrives before the next is sent; a broken stream is taken up where it ended; leaving is noticed", async () => {
    const { url, server } = application();
    [clients, gone] = [[], 0];
    const source = new EventSource(`${url}/`);
    const got: string[] = [];
    source.onmessage = ({ data, lastEventId }) => void got.push(`${lastEventId}=${data}`);
    source.addEventListener("special", ({ data }) => void got.push(`special ${data}`));
    await eventually(() => clients.length === 1, "the stream is open");
    for (let i = 1; i <= 20; i++) {
      clients[0]!.send(`id: ${i}\ndata: event ${i}\n\n`);
      await eventually(() => got.length === i, `event ${i} has arrived`);
    }
    clients[0]!.send("event: special\ndata: a\ndata: b\n\n");
    await eventually(() => got.at(-1) === "special a\nb", "a named event of two lines has arrived");
    // Silent until such deadlines have ended others: an idle connection and a request that nobody answers.
    using idle = await RawClient.open(server);
    await Promise.all([
      idle.ended,
      visit(server.port, "events", "/never").then(({ status }) => expect(status).toBe(504)),
    ]);
    clients[0]!.send("id: 21\ndata: after the silence\n\n");
    await eventually(() => got.at(-1) === "21=after the silence", "the silent stream lives");
    expect(clients).toHaveLength(1);

    clients[0]!.cut();
    await eventually(() => clients.length === 2, "the EventSource comes back by itself");
    expect(clients[1]!.lastEventId).toBe("21");
    clients[1]!.send("id: 22\ndata: resumed\n\n");
    await eventually(() => got.at(-1) === "22=resumed", "the resumed stream works");

    source.close();
    await eventually(() => gone === 1, "the local service hears that the visitor left");
  });

  test("50 streams at once, each with its own events", async () => {
    const { url } = application();
    const before = clients.length;
    const sources = Array.from({ length: 50 }, () => new EventSource(`${url}/`));
    const got = sources.map((source) => {
      const list: string[] = [];
      source.onmessage = ({ data }) => void list.push(data as string);
      return list;
    });
    await eventually(() => clients.length === before + 50, "50 streams are open");
    for (let round = 0; round < 10; round++) {
      for (const [i, client] of clients.slice(before).entries()) client.send(`data: ${i}.${round}\n\n`);
    }
    await eventually(() => got.every((list) => list.length === 10), "all events have arrived");
    const owners = new Set(got.map((list) => list[0]!.split(".")[0]));
    expect(owners.size).toBe(50);
    for (const list of got) expect(list).toEqual(list.map((_, round) => `${list[0]!.split(".")[0]}.${round}`));
    for (const source of sources) source.close();
  });
});
