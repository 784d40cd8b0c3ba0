// What main asks a shard, and waits for: the answer, or none when the shard is not up, is replaced meanwhile, or takes too long.

import type { Incarnation } from "./incarnation.ts";
import type { CapturedRequest, LocalStatus, PortOpening, ToShard } from "./messages.ts";
import { Replies } from "./replies.ts";
import type { RequestsQuery } from "./requests-query.ts";
import type { ShardLink } from "./shard-link.ts";

const checkTimeoutMs = 10_000;
const answerTimeoutMs = 5_000;

/** The questions of `ShardLink`. Whoever hears the shards settles `replies`, and drops those of a shard that dies. */
export abstract class AskedShards implements Pick<ShardLink, "check" | "openPort" | "requests"> {
  protected readonly replies = new Replies();

  /** Null: it is not up. */
  protected abstract readyShard(shard: number): Incarnation | null;

  check(shard: number, tunnelId: string): Promise<LocalStatus | null> {
    return this.ask(shard, checkTimeoutMs, (id) => ({ type: "check", id, tunnelId }));
  }

  openPort(shard: number, name: string): Promise<PortOpening | null> {
    return this.ask(shard, answerTimeoutMs, (id) => ({ type: "open-port", id, name }));
  }

  requests(shard: number, query: RequestsQuery): Promise<CapturedRequest[] | null> {
    return this.ask(shard, answerTimeoutMs, (id) => ({ type: "requests", id, ...query }));
  }

  private ask<T>(shard: number, timeoutMs: number, message: (id: number) => ToShard): Promise<T | null> {
    const receiver = this.readyShard(shard);
    if (receiver === null) return Promise.resolve(null);
    return this.replies.ask<T | null>(shard, null, timeoutMs, (id) => receiver.post(message(id)));
  }
}
