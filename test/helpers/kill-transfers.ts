// Transfers, each of which ends whole or visibly broken, while somebody on the way is killed.

import { patternPieces, patternSha1 } from "./pattern.ts";
import { RawClient } from "./raw-client.ts";

export interface TransferReport {
  started: number;
  /** Answers that ended as HTTP says a whole answer ends. */
  finished: number;
  /** The ids of finished uploads. */
  uploaded: string[];
  /** Downloads that broke behind the first bytes of their body. */
  cut: number;
  /** The ids of uploads that broke or were answered by us (502, 503, 504): the visitor knows. */
  failedUploads: string[];
  /** Other visits that broke or were answered by us. */
  refused: number;
  /** Downloads that have some of their body, but less than half of it, at this moment. */
  midway: number;
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

/** Runs transfers on `lanes` connections at a time, up and down in turn, with a length and chunked in turn, until `stop` or dispose. */
export function keepTransferring(
  options: TransferOptions,
  lanes: number,
): { report: TransferReport; stop(): Promise<void> } & AsyncDisposable {
  const report: TransferReport = {
    ...{ started: 0, finished: 0, uploaded: [], cut: 0, failedUploads: [], refused: 0, midway: 0, wrong: [] },
  };
  let stopped = false;
  const lane = async (): Promise<void> => {
    while (!stopped) {
      const client = await RawClient.open({ port: options.port }).catch(() => null);
      // After a kill connections are refused for a moment.
      if (client === null) await Bun.sleep(20);
      else {
        const number = report.started++;
        const transfer = number % 2 === 0 ? download : upload;
        const { finished } = report;
        await transfer(client, options, `${options.run}-${number}`, number % 4 >= 2, report);
        client[Symbol.dispose]();
        // Requests are refused while the agent is away; asked without a pause they would keep the machine from what is to come back.
        if (report.finished === finished) await Bun.sleep(20);
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

/** `/size/N` of the local service of the tests. */
async function download(
  client: RawClient,
  { name, bytes }: TransferOptions,
  id: string,
  chunked: boolean,
  report: TransferReport,
): Promise<void> {
  let got = 0;
  const isMidway = (): number => Number(got > 0 && got < bytes / 2);
  const onBody = (piece: Buffer): void => {
    report.midway -= isMidway();
    got += piece.length;
    report.midway += isMidway();
  };
  const target = `/size/${bytes}${chunked ? "?chunked" : ""}`;
  await client.send(`GET ${target} HTTP/1.1\r\nHost: ${name}.localhost\r\nX-Id: ${id}\r\nConnection: close\r\n\r\n`);
  const answer = await client.response({ discard: true, timeoutMs: 60_000, onBody }).catch(() => null);
  report.midway -= isMidway();
  if (answer === null && got > 0) report.cut++;
  else if (answer?.status !== 200) report.refused++;
  else if (answer.sha1 === patternSha1(bytes)) report.finished++;
  else report.wrong.push(`${id}: ${answer.bodyBytes} bytes, ended cleanly`);
}

async function upload(
  client: RawClient,
  { name, bytes }: TransferOptions,
  id: string,
  chunked: boolean,
  report: TransferReport,
): Promise<void> {
  const answer = client.response({ timeoutMs: 60_000 }).catch(() => null);
  const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${bytes}`;
  await client.send(
    `POST /upload HTTP/1.1\r\nHost: ${name}.localhost\r\nX-Id: ${id}\r\nConnection: close\r\n${framing}\r\n\r\n`,
  );
  for (const piece of patternPieces(0, bytes)) {
    if (chunked) await client.send(`${piece.length.toString(16)}\r\n`);
    await client.send(piece);
    if (chunked) await client.send("\r\n");
  }
  if (chunked) await client.send("0\r\n\r\n");
  const got = await answer;
  if (got?.status !== 200) report.failedUploads.push(id);
  else if ((JSON.parse(got.body.toString()) as { sha1: string }).sha1 === patternSha1(bytes)) {
    report.finished++;
    report.uploaded.push(id);
  } else report.wrong.push(`${id}: the service got ${got.body.toString()}`);
}
