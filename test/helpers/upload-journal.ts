// What local services saw of uploads, in a file: it outlives those of them that are killed.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { TransferReport } from "./kill-transfers.ts";
import type { RecordedRequest } from "./local-service.ts";
import { patternSha1 } from "./pattern.ts";
import { valuesOf } from "./strict-http.ts";

/** Called at the head of a request and at its end; on disk (for whoever isn't the kernel) before it returns. */
export function writeJournal(file: string, request: RecordedRequest): void {
  if (request.method !== "POST") return;
  const { fields, complete, bodyBytes, sha1 } = request;
  const id = valuesOf(fields, "x-id")[0] ?? "";
  appendFileSync(file, complete ? `whole ${id} ${bodyBytes} ${sha1}\n` : `head ${id}\n`);
}

export interface UploadVerdict {
  /** Uploads of which a service saw the head. */
  seen: number;
  /** Of these, those that never got their answer. */
  cut: number;
  /** More than once. */
  seenTwice: string[];
  /** Finished, says the visitor, but no service had it. */
  neverSeen: string[];
  /** A service took it for whole, and it was not what the visitor sends. */
  wronglyWhole: string[];
}

/** Compares what services saw with what the visitors of `report` know. `bytes` is how much each of them sends. */
export function judgeUploads(file: string, report: TransferReport, bytes: number): UploadVerdict {
  const heads = new Map<string, number>();
  const wronglyWhole: string[] = [];
  const lines = existsSync(file) ? readFileSync(file, "latin1").trim().split("\n") : [];
  for (const line of lines) {
    const [what, id = "", length, sha1] = line.split(" ");
    if (what === "head") heads.set(id, (heads.get(id) ?? 0) + 1);
    else if (Number(length) !== bytes || sha1 !== patternSha1(bytes)) wronglyWhole.push(line);
  }
  return {
    seen: heads.size,
    cut: report.failedUploads.filter((id) => heads.has(id)).length,
    seenTwice: [...heads].filter(([, times]) => times > 1).map(([id]) => id),
    neverSeen: report.uploaded.filter((id) => !heads.has(id)),
    wronglyWhole,
  };
}
