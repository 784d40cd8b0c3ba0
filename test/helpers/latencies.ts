// How long visitors of a tunnel wait, each on a connection of its own.

import { statusOf, visit } from "./visit.ts";

/** Four visitors, one request for 1 KB every 10 ms each, for `seconds`. */
export async function measureVisits(
  port: number,
  name: string,
  seconds: number,
): Promise<{ ms: number[]; failed: number }> {
  const until = performance.now() + seconds * 1_000;
  const ms: number[] = [];
  let failed = 0;
  const visitor = async (): Promise<void> => {
    while (performance.now() < until) {
      const sent = performance.now();
      if ((await statusOf(visit(port, name, "/size/1000"))) === 200) ms.push(performance.now() - sent);
      else failed++;
      await Bun.sleep(10);
    }
  };
  await Promise.all(Array.from({ length: 4 }, visitor));
  return { ms, failed };
}
