// How far the tunnels have come, for --wait and the last sentence.

import type { AgentEvent, TunnelSpec } from "./agent/types.ts";
import { nameOf } from "./output/plain.ts";
import { safe } from "./output/safe.ts";
import { applyEvent, createView } from "./output/tunnel-view.ts";

/** What --wait and the last sentence need to know. */
export function createProgress(specs: readonly TunnelSpec[]) {
  const view = createView(specs);
  let refused = false;
  return {
    event(event: AgentEvent): void {
      applyEvent(view, event, 0);
      if (event.event === "refused") refused = true;
    },
    allReady: (): boolean => view.tunnels.every((tunnel) => tunnel.url !== null),
    /** Why not all have been up, in words without a full stop: of the first that has not. */
    whyNot(): string {
      const { wanted = null, local = "", reason = null } = view.tunnels.find(({ url }) => url === null) ?? {};
      const which = specs.length > 1 ? `${nameOf({ url: null, subdomain: wanted, local })}: ` : "";
      return `${which}${safe((reason ?? "the server did not answer").replace(/\.$/, ""))}`;
    },
    refusalSeen: (): boolean => refused,
  };
}
