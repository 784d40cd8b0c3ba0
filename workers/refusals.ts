// What a shard tells main of visitors and agents that it turned away, however often they come back.

import { networkOf } from "../src/lib/cidr.ts";
import type { ErrorCode } from "../src/lib/errors.ts";
import { Repeats } from "../src/lib/repeats.ts";
import type { NameEntry, ShardEvent } from "../src/link/messages.ts";
import type { Refusal } from "./policy/verdict.ts";
import type { HeldTicket } from "./tickets.ts";

type RefusalEvent = Extract<ShardEvent, { type: "refusal" | "session.refused" }>;

/** The refusals of one shard. The owner calls `sweep` about once a second, and `flush` at the end. */
export class Refusals {
  private readonly repeats: Repeats<RefusalEvent>;

  constructor(tell: (event: RefusalEvent) => void) {
    this.repeats = new Repeats({ tell: (event, times) => tell({ ...event, times }) });
  }

  visitor({ name, appId, orgId }: NameEntry, refusal: Refusal, address: string, requestId: string): void {
    const { rule, credential } = refusal;
    const { authType, identity } = credential ?? { authType: null, identity: null };
    this.repeats.note(`${rule} ${name} ${networkOf(address)}`, {
      ...{ type: "refusal", name, appId, orgId, rule, authType, identity },
      ...{ address, requestId, atMs: Date.now(), times: 1 },
    });
  }

  /** `ticket` is the one that was shown, when it was one of ours. */
  session(rule: ErrorCode, ticket: HeldTicket | null, address: string, requestId: string): void {
    const { tunnelId = null, name = null, appId = null, principal } = ticket ?? {};
    const { orgId = null, accountId = null, keyId = null } = principal ?? {};
    this.repeats.note(`${rule} ${tunnelId ?? ""} ${networkOf(address)}`, {
      ...{ type: "session.refused", tunnelId, name, appId, orgId, accountId, keyId, rule },
      ...{ address, requestId, atMs: Date.now(), times: 1 },
    });
  }

  sweep(): void {
    this.repeats.sweep();
  }

  flush(): void {
    this.repeats.flush();
  }
}
