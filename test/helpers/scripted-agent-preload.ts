// Preloaded by tests of the command line: puts scripted-agent.ts in the agent's place.

import { join } from "node:path";

Bun.plugin({
  name: "scripted agent",
  setup(build) {
    build.onResolve({ filter: /agent\/agent\.ts$/ }, () => ({ path: join(import.meta.dir, "scripted-agent.ts") }));
  },
});
