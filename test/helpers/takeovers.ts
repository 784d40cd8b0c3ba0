// Tagged requests to two names while newer starts of their agents take them over, again and again.

import { eventually } from "./eventually.ts";
import type { ServerProcess } from "./server-process.ts";
import type { TaggedService } from "./tagged-service.ts";
import { openTunnel } from "./tunnel-agent.ts";
import { serviceOf, statusOf, visit } from "./visit.ts";

export interface TakeoverReport {
  /** Answers with 200. The others found nobody, or somebody who was just leaving. */
  answered: number;
  takeovers: number;
  /** Answers of the wrong service or to another request, and requests that were seen twice. */
  wrong: string[];
}

/** Sends `requests` POSTs over eight visitors. `one` and `two` are whose names those are. */
export async function runTakeovers(
  server: Pick<ServerProcess, "origin" | "port" | "token">,
  owners: { one: TaggedService; two: TaggedService },
  requests: number,
): Promise<TakeoverReport> {
  const report: TakeoverReport = { answered: 0, takeovers: 0, wrong: [] };
  let stop = false;
  const takeovers = (["one", "two"] as const).map(async (name) => {
    let last = await openTunnel({ ...server, port: owners[name].port, name });
    while (!stop) {
      const next = await openTunnel({ ...server, port: owners[name].port, name });
      report.takeovers++;
      await last.stop(0);
      last = next;
    }
    return last;
  });
  await eventually(async () => (await statusOf(visit(server.port, "two", "/"))) === 200, "both names are served");
  const visitor = async (_: unknown, v: number): Promise<void> => {
    for (let i = 0; i < requests / 8; i++) {
      const name = (v + i) % 2 === 0 ? "one" : "two";
      const id = `tag-${v}-${i}`;
      const answer = await visit(server.port, name, "/", { method: "POST", body: id, id }).catch(() => null);
      if (answer?.status !== 200) continue;
      report.answered++;
      if (serviceOf(answer) !== owners[name].tag || answer.body.toString() !== id)
        report.wrong.push(`${id} for ${name} was answered by ${serviceOf(answer)}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, visitor));
  stop = true;
  for (const { tag, seen } of [owners.one, owners.two])
    for (const [id, times] of seen)
      if (id.startsWith("tag-") && times > 1) report.wrong.push(`${id} was sent to ${tag} twice`);
  for (const agent of await Promise.all(takeovers)) await agent.stop(0);
  return report;
}
