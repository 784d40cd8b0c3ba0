// One visitor that reads at 10 KB/s, and how fast others on its tunnel are beside it and without it.

import { median } from "../../bench/measure/statistics.ts";
import { startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { patternSha1 } from "../helpers/pattern.ts";
import { residentBytes, watchMemory } from "../helpers/process-facts.ts";
import { readAll } from "../helpers/read-all.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { openSlowReader } from "../helpers/slow-reader.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { atLeast, atMost, figure, nothingIn, type Scenario, scaled } from "./scenario.ts";

const mib = 1_048_576;
const others = 4;
const roundSeconds = 4;

export const pacedReader: Scenario = {
  name: "paced-reader",
  about: "one visitor reads at 10 KB/s while four read all they can: they are as fast as without it, memory ≤ +64 MiB",
  async run(options) {
    await using service = await startLocalServiceProcess();
    await using server = await startServerProcess({ shards: 2 });
    await using agent = await openTunnelProcess({ ...server, port: service.port, name: "paced" });
    await agent.until("session");
    const speed = async (): Promise<number> => {
      const bytes = await Promise.all(
        Array.from({ length: others }, () => readAll(server.port, "paced", roundSeconds)),
      );
      return bytes.reduce((sum, one) => sum + one, 0) / mib / roundSeconds;
    };
    await speed();
    const before = [residentBytes(server.pid), residentBytes(agent.pid)] as const;
    const watches = [watchMemory(server.pid), watchMemory(agent.pid)] as const;
    const alone: number[] = [];
    const beside: number[] = [];
    const ownSpeeds: number[] = [];
    const wrong: string[] = [];
    // In turns, so that what else the machine does hits both.
    for (let round = 0; round < scaled(options, 9, 3); round++) {
      alone.push(await speed());
      using slow = await openSlowReader({
        ...{ port: server.port, host: "paced.localhost", path: "/size/100000000", fastMs: 20 },
        ...{ bytesPerSecond: 10_000, receiveBytes: 1_024 },
      });
      // What it got at once is read.
      await Bun.sleep(1_000);
      const [first, started] = [slow.received, performance.now()];
      beside.push(await speed());
      ownSpeeds.push((slow.received - first) / (performance.now() - started));
      const { bytes, sha1 } = slow.body();
      if (slow.over !== null || sha1 !== patternSha1(bytes)) wrong.push(`round ${round}: ${bytes} bytes, ${slow.over}`);
    }
    for (const watch of watches) watch.stop();
    return [
      atLeast("speed of the others, of theirs alone", (median(beside) / median(alone)) * 100, 85, "%"),
      figure("their speed alone", median(alone), "MiB/s"),
      figure("their speed beside it", median(beside), "MiB/s"),
      atLeast("the slowest speed of the slow one", Math.min(...ownSpeeds), 8, "KB/s"),
      atMost("its fastest", Math.max(...ownSpeeds), 12, "KB/s"),
      nothingIn("slow readers with wrong bytes, or cut off", wrong),
      atMost("memory of the server", watches[0].peakBytes() - before[0], 64 * mib, "bytes"),
      atMost("memory of the agent", watches[1].peakBytes() - before[1], 64 * mib, "bytes"),
    ];
  },
};
