// Which session of a tunnel takes the next stream.

import type { Session } from "./session.ts";

const maxSlack = 32;

export class SessionChoice {
  private last: Session | null = null;
  /** Several agents have sessions. */
  isShared = false;

  /** `sessions`: those of the tunnel, also when they change. */
  constructor(private readonly sessions: readonly Session[]) {}

  /** A session came or went. */
  changed(): void {
    this.last = null;
    this.isShared = new Set(this.sessions.map(({ options }) => options.agentId)).size > 1;
  }

  /**
   * The session that takes the next stream; null when none has room. Whoever took the last one takes the next as long as
   * others are not much less busy: requests that arrive together then leave in one message. Agents that share a name take turns.
   */
  pick(): Session | null {
    const { last, sessions } = this;
    if (this.isShared) return (this.last = this.leastBusy(last === null ? 0 : sessions.indexOf(last) + 1));
    // Nobody is so much less busy than it.
    if (last !== null && last.hasRoom && loadOf(last) <= maxSlack) return last;
    const best = this.leastBusy(0);
    const stays = last !== null && best !== null && last.hasRoom && loadOf(last) <= loadOf(best) + maxSlack;
    return stays ? last : (this.last = best);
  }

  /** The first of the least busy ones, counted from `start` on. */
  private leastBusy(start: number): Session | null {
    const { sessions } = this;
    let best: Session | null = null;
    for (let i = 0; i < sessions.length; i++) {
      const session = sessions[(start + i) % sessions.length]!;
      if (session.hasRoom && (best === null || loadOf(session) < loadOf(best))) best = session;
    }
    return best;
  }
}

/** How busy a session is. Others would queue behind bulk bytes, so a session with such streams comes last. */
function loadOf(session: Session): number {
  return session.streams.size + session.bulkStreams * 2 * maxSlack;
}
