// Visitors that go on whatever happens, for tests that break things under load, and tell of everything that went wrong.

import { askAnother, judge } from "./moving-visitors.ts";
import { RawClient } from "./raw-client.ts";
import { valuesOf } from "./strict-http.ts";
import { statusOf, visit } from "./visit.ts";

/** Two visitors of one name: one keeps its connection, one takes a new one each time. `failed` hears of every answer but a 200. */
export function keepAsking(
  port: number,
  name: string,
  failed: (why: string) => void,
): { served(): number; stop(): Promise<void> } {
  let [served, stopped] = [0, false];
  const kept = async (): Promise<void> => {
    let client: RawClient | null = null;
    while (!stopped) {
      client ??= await RawClient.open({ port });
      await client.send(`GET / HTTP/1.1\r\nHost: ${name}.localhost\r\n\r\n`);
      const status = await statusOf(client.response());
      if (status === 200) served++;
      else {
        failed(`${name}, on a kept connection: ${status}`);
        client[Symbol.dispose]();
        client = null;
      }
      await Bun.sleep(3);
    }
    client?.[Symbol.dispose]();
  };
  const fresh = async (): Promise<void> => {
    while (!stopped) {
      const status = await statusOf(visit(port, name, "/"));
      if (status === 200) served++;
      else failed(`${name}, on a new connection: ${status}`);
      await Bun.sleep(3);
    }
  };
  const done = Promise.all([kept(), fresh()]);
  return {
    served: () => served,
    async stop() {
      stopped = true;
      await done;
    },
  };
}

export interface MovingCounts {
  right: number;
  /** Answered by us with 5xx. */
  refused: number;
  broken: number;
  /** Answers that were not what was asked for. */
  wrong: string[];
}

/** `lanes` connections that change host with each of two pipelined requests, with bodies both ways; broken ones are opened anew. */
export function keepMoving(
  port: number,
  tags: readonly string[],
  lanes: number,
  run: string,
): { counts: MovingCounts; stop(): Promise<void> } {
  const counts: MovingCounts = { right: 0, refused: 0, broken: 0, wrong: [] };
  let [next, stopped] = [0, false];
  const connection = async (): Promise<void> => {
    using client = await RawClient.open({ port });
    for (let last = ""; !stopped;) {
      const first = askAnother(tags, last, `${run}-${next++}`);
      const second = askAnother(tags, first.host, `${run}-${next++}`);
      last = second.host;
      const answers = [first, second].map((asked) => ({ asked, answer: client.response().catch(() => null) }));
      await client.send(Buffer.concat([first.bytes, second.bytes]));
      for (const { asked, answer } of answers) {
        const got = await answer;
        if (got === null) counts.broken++;
        else if (judge(asked, got) === null) counts.right++;
        else if (got.status >= 500) counts.refused++;
        else counts.wrong.push(judge(asked, got)!);
        if (got === null || valuesOf(got.fields, "connection").includes("close")) return;
      }
    }
  };
  const lane = async (): Promise<void> => {
    while (!stopped) await connection();
  };
  const done = Promise.all(Array.from({ length: lanes }, lane));
  return {
    counts,
    async stop() {
      stopped = true;
      await done;
    },
  };
}
