// Yardstick: the local service itself, nothing in between.

import { waitForAnswer } from "../ports.ts";
import type { Party } from "./party.ts";

export const direct: Party = {
  name: "direct",
  kind: "yardstick",
  about: "the local service itself",
  unavailable: () => null,
  async start({ servicePort }) {
    const endpoint = { address: "127.0.0.1", port: servicePort, hostHeaders: ["localhost"] as const };
    await waitForAnswer(endpoint, []);
    return { endpoint, pids: { server: [], agent: [] }, stop: async () => {} };
  },
};
