// 10,000 tagged requests to two names while newer starts of their agents take them over.

import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { runTakeovers } from "../helpers/takeovers.ts";
import { atLeast, figure, nothingIn, type Scenario, scaled } from "./scenario.ts";

export const takeovers: Scenario = {
  name: "takeovers",
  about: "10,000 tagged requests while two names change hands: none is answered by the wrong service",
  async run(options) {
    const requests = scaled(options, 10_000, 800);
    await using server = await startServerProcess({ shards: 2 });
    await using one = startTaggedService("red");
    await using two = startTaggedService("blue");
    const report = await runTakeovers(server, { one, two }, requests);
    return [
      figure("requests", requests),
      atLeast("takeovers", report.takeovers, 20),
      atLeast("answered", report.answered, requests / 2),
      nothingIn("wrong answers, or requests seen twice", report.wrong),
    ];
  },
};
