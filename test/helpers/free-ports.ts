// Free TCP ports, for what must know its port before it listens.

import { createServer, type Server } from "node:net";

/** Different ports that are free now. Taken from below the ephemeral range, so that no outgoing connection gets one meanwhile. */
export async function freePorts(count: number): Promise<number[]> {
  const probes: Server[] = [];
  const ports: number[] = [];
  for (let tries = 0; ports.length < count && tries < 1_000; tries++) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "0.0.0.0", () => resolve(true));
    });
    if (!free) continue;
    probes.push(probe);
    ports.push(port);
  }
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
  return ports;
}
