// Transfers, each of which ends whole or visibly broken, while somebody on the way is killed.

import { patternPieces, patternSha1 } from "./pattern.ts";
import { RawClient } from "./raw-client.ts";

export interface TransferReport {
  started: number;
  /** Answers that ended as HTTP says a whole answer ends. */
  finished: number;
  /** Connections that broke, and answers of ours (502, 503, 504): the visitor knows. */
  broken: number;
  refused: number;
  /** Finished with other bytes than were sent: must stay empty. */
  wrong: string[];
}

export interface TransferOptions {
  port: number;
  name: string;
  /** Bytes of each body. */
  bytes: number;
  run: string;
}

/** Runs transfers on `lanes` connections at a time, up and down in turn, until `stop` or dispose. */
export function keepTransferring(
  options: TransferOptions,
  lanes: number,
): { report: TransferReport; stop(): Promise<void> } & AsyncDisposable {
  const report: TransferReport = { started: 0, finished: 0, broken: 0, refused: 0, wrong: [] };
  let stopped = false;
  const lane = async (): Promise<void> => {
    while (!stopped) {
      const client = await RawClient.open({ port: options.port }).catch(() => null);
      // After a kill connections are refused for a moment.
      if (client === null) await Bun.sleep(20);
      else {
        const id = `${options.run}-${report.started++}`;
        const transfer = report.started % 2 === 0 ? upload : download;
        const { refused } = report;
        await transfer(client, options, id, report).catch(() => report.broken++);
        client[Symbol.dispose]();
        // So are requests while the agent is away; asked without a pause they would keep the machine from what is to come back.
        if (report.refused > refused) await Bun.sleep(20);
      }
    }
  };
  const done = Promise.all(Array.from({ length: lanes }, lane));
  const stop = async (): Promise<void> => {
    stopped = true;
    await done;
  };
  return { report, stop, [Symbol.asyncDispose]: stop };
}

/** `/size/N` of the local service of the tests, in one of its framings. */
async function download(
  client: RawClient,
  options: TransferOptions,
  id: string,
  report: TransferReport,
): Promise<void> {
  const { name, bytes } = options;
  const chunked = id.endsWith("1") || id.endsWith("5") ? "?chunked" : "";
  await client.send(
    `GET /size/${bytes}${chunked} HTTP/1.1\r\nHost: ${name}.localhost\r\nX-Id: ${id}\r\nConnection: close\r\n\r\n`,
  );
  const answer = await client.response({ discard: true, timeoutMs: 60_000 });
  if (answer.status !== 200) report.refused++;
  else if (answer.sha1 === patternSha1(bytes)) report.finished++;
  else report.wrong.push(`${id}: ${answer.bodyBytes} bytes, ended cleanly`);
}

async function upload(client: RawClient, options: TransferOptions, id: string, report: TransferReport): Promise<void> {
  const { name, bytes } = options;
  const answer = client.response({ timeoutMs: 60_000 });
  answer.catch(() => {});
  await client.send(
    `POST /upload HTTP/1.1\r\nHost: ${name}.localhost\r\nX-Id: ${id}\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`,
  );
  for (const piece of patternPieces(0, bytes)) await client.send(piece);
  const { status, body } = await answer;
  if (status !== 200) report.refused++;
  else if ((JSON.parse(body.toString()) as { sha1: string }).sha1 === patternSha1(bytes)) report.finished++;
  else report.wrong.push(`${id}: the service got ${body.toString()}`);
}
