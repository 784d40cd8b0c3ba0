// Free TCP ports, for what must know its port before it listens.

import { createServer, type Server } from "node:net";

/**
 * Different ports that are free now, from below the ephemeral range, so that no outgoing connection gets one meanwhile. No other call gets them
 * as long as this process lives: between this look and their use, or while a server starts again, they would look free to it, too.
 */
export async function freePorts(count: number, from = 12_000, to = 32_000): Promise<number[]> {
  const probes: Server[] = [];
  const ports: number[] = [];
  for (let tries = 0; ports.length < count && tries < 100 + count; tries++) {
    const port = from + Math.floor(Math.random() * (to - from));
    if (!claim(port)) continue;
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
  if (ports.length < count) throw new Error(`no ${count} free ports from ${from} to ${to}`);
  return ports;
}

/** Whether nobody has it: by a name that the kernel gives to one process, and takes back when that ends. */
function claim(port: number): boolean {
  if (process.platform !== "linux") return true;
  try {
    Bun.listen({ unix: `\0digit-link-test-port-${port}`, socket: { data() {} } }).unref();
    return true;
  } catch {
    return false;
  }
}
