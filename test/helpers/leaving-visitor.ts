// A visitor that leaves while it waits for its answer, or in the middle of it.

import { requestBytes, type Parties } from "./services.ts";

/** What it may ask for: no answer at all, one that goes on, one that is long. */
export const leftBehind = ["/silent", "/sse/left", "/size/1000000000"];

/** Asks for `target` (and sends `behind` as well), and leaves once the local service has the request and the answer, if there is any, has begun. Resolves to the request there. */
export async function leaveDuring(
  { open, host, service }: Parties,
  target: string,
  how: "close" | "reset",
  behind = "",
) {
  const client = await open();
  await client.send(requestBytes(host, `${target}?${how}`) + behind);
  const request = await service.next(`${target}?${how}`);
  if (target !== "/silent") await client.until("HTTP/1.1 200 OK");
  if (how === "reset") client.reset();
  else client.socket.destroy();
  return request;
}
