// Sessions that end one after the other.

import { expect, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import { startNamed, startPickyServer } from "../../test/helpers/picky-server.ts";

test("sessions that are lost while another one is asked for don't make the agent the rival of itself", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await using picky = startPickyServer(undefined, (registration) => (registration === 2 ? promise : Promise.resolve()));
  const { agent, events } = startNamed(picky.server, ["web"], 2);
  await eventually(() => events.some((event) => event.event === "session" && event.open === 2), "both are open");
  const [first, second] = [...picky.open];
  first!.terminate();
  await eventually(() => picky.asked.registrations === 2, "it asks for another");
  second!.terminate();
  await eventually(() => events.some(({ event }) => event === "tunnel.lost"), "there is none left");
  resolve();
  await eventually(() => picky.asked.registrations === 3, "it asks for the second");
  // The server closes what is older than the generation that it is told.
  expect(new Set(picky.generations).size).toBe(1);
  await agent.stop(0);
});
