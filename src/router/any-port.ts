// PORT=0: a free port is taken before anything starts, since URLs, e-mails and shards are told which one it is.

import { descriptorOf, duplicate } from "../lib/descriptor.ts";

/**
 * Listens on any free port of `hostname`, without accepting: whoever connects waits for the listener that takes `fd` over. `fd` belongs
 * to the caller; it is null where descriptors can't be duplicated (the port is free again then, and may be lost). Throws what `Bun.listen` throws.
 */
export function takeAnyPort(hostname: string): { port: number; fd: number | null } {
  const listener = Bun.listen({ hostname, port: 0, socket: { data() {} } });
  const { port } = listener;
  const fd = duplicate(descriptorOf(listener));
  listener.stop(true);
  return { port, fd: fd < 0 ? null : fd };
}
