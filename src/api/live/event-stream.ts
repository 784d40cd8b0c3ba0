// GET /admin/events and /org/events: one server-sent event stream per reader, which ends when the reader may no longer read.

import { hashToken } from "../../auth/tokens.ts";
import { findAccountByTokenHash } from "../../db/accounts.ts";
import { AppError } from "../../lib/errors.ts";
import type { EventHub } from "../../observe/events.ts";
import type { Reader } from "../../observe/live-ticks.ts";
import { checkSameOrigin } from "../csrf.ts";
import type { ApiDeps } from "../deps.ts";
import { newRoutes } from "../routes.ts";
import { streamAnswers } from "../schemas.ts";
import { readErrors, type Portal, type Scope } from "../scopes.ts";

/** How long a reader that was logged out, moved or deactivated by another process may still read. */
const checkAgainMs = 4_000;
/** Bytes that may wait for a slow reader; then it is cut off, and resumes. */
const mostWaitingBytes = 1024 * 1024;
const mostStreams = 1_000;
const mostStreamsPerAccount = 20;
/** One organization's members leave some to others. */
const mostStreamsPerOrganization = 250;

interface Parts {
  deps: ApiDeps;
  events: EventHub;
  /** Open streams by account and by organization; shared by both portals. */
  open: Map<string, number>;
}

export function createEventRoute(portal: Portal, { deps, events, open }: Parts) {
  const tag = `${portal.tag}: live`;

  /** Whose stream it is, in `open`. */
  const holdersOf = ({ caller, orgId }: Scope): string[] => [caller.account.id, ...(orgId === null ? [] : [orgId])];

  function count(scope: Scope, change: 1 | -1): void {
    for (const holder of holdersOf(scope)) {
      const now = (open.get(holder) ?? 0) + change;
      if (now > 0) open.set(holder, now);
      else open.delete(holder);
    }
  }

  function isFull({ caller, orgId }: Scope): boolean {
    if (events.readers >= mostStreams || (open.get(caller.account.id) ?? 0) >= mostStreamsPerAccount) return true;
    return orgId !== null && (open.get(orgId) ?? 0) >= mostStreamsPerOrganization;
  }

  /** Whether the reader of an open stream may still read, by the database of now. */
  async function mayStillRead(scope: Scope): Promise<boolean> {
    const { account, sessionId } = scope.caller;
    if (sessionId === null) {
      // Not through the guard, which audits and counts every use of the token.
      const token = scope.request.headers.get("x-admin-token") ?? "";
      const found = await findAccountByTokenHash(deps.db.kysely, hashToken(token));
      return found !== null && found.id === account.id && found.active && found.isAdmin && deps.settings.adminApiTokens;
    }
    try {
      const now = await portal.mayRead(scope.request);
      return now.orgId === scope.orgId && now.caller.account.isOrgAdmin === account.isOrgAdmin;
    } catch (error) {
      if (error instanceof AppError) return false;
      throw error;
    }
  }

  function openStream(scope: Scope): ReadableStream<Uint8Array> {
    const { account } = scope.caller;
    const encoder = new TextEncoder();
    /** `cancelled`: the reader did it, and there is nothing to close any more. */
    let end: (cancelled?: boolean) => void = () => {};
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          let ended = false;
          let checking = false;
          let again = false;
          const check = (): void => {
            if (ended) return;
            // The one under way may have read what has changed since.
            if (checking) return void (again = true);
            checking = true;
            again = false;
            mayStillRead(scope)
              .then(
                (may) => may || end(),
                (error: unknown) => {
                  deps.log.error("a reader of events could not be checked", { error: String(error) });
                  end();
                },
              )
              .finally(() => {
                checking = false;
                if (again) check();
              });
          };
          const timer = setInterval(check, checkAgainMs);
          const unsubscribe = deps.db.changes.subscribe((changes) => {
            const concerns = changes.some(({ refId }) => refId === account.id || refId === scope.orgId);
            if (concerns) check();
          });
          count(scope, 1);
          const reader: Reader = {
            orgId: scope.orgId,
            readsAudit: account.isAdmin || account.isOrgAdmin,
            tell(text) {
              if (ended) return;
              controller.enqueue(encoder.encode(text));
              if ((controller.desiredSize ?? 0) < -mostWaitingBytes) end();
            },
            end: () => end(),
          };
          const stop = events.read(reader, scope.request.headers.get("last-event-id"));
          end = (cancelled = false) => {
            if (ended) return;
            ended = true;
            clearInterval(timer);
            unsubscribe();
            stop();
            count(scope, -1);
            if (!cancelled) controller.close();
          };
          scope.request.signal.addEventListener("abort", () => end(), { once: true });
          // The head goes out with the first bytes; browsers wait `retry` before they come back.
          controller.enqueue(encoder.encode("retry: 2000\n\n"));
        },
        cancel: () => end(true),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: 64 * 1024 }),
    );
  }

  return newRoutes(portal.prefix, tag, portal.security)
    .use(portal.read)
    .get(
      "/events",
      ({ scope }) => {
        checkSameOrigin(scope.request);
        if (events.hasLeft) throw new AppError("unavailable");
        if (isFull(scope)) throw new AppError("too_many_connections");
        const headers = { "content-type": "text/event-stream", "x-accel-buffering": "no" };
        return new Response(openStream(scope), { headers });
      },
      {
        detail: {
          summary: "What happens now, as server-sent events",
          description:
            "`tunnel.opened`, `tunnel.closed`, `tunnel.cleared`, `refusal`, `request` (a list of requests), `request.skipped` (how many more of " +
            "a tunnel passed at that moment: they are found in its list of requests only) and, each " +
            "second, `stats` (rates; when traffic was last stored; the newest audit entry, for those who may read the " +
            "log) and `tunnel.stats` (up to 200 tunnels that changed: state, proof, round trip, bytes, rates). " +
            "`Last-Event-ID` resumes within the last 1,000 events; where it can't, because more were missed or the " +
            "server was restarted, the first event is `gap`, and what is on screen has to be fetched again; so it is when tunnels " +
            "come and go faster than `tunnel.stats` tells them. Ends when the session does.",
          responses: streamAnswers(
            "The stream.",
            ["text/event-stream"],
            ...readErrors,
            "csrf",
            "too_many_connections",
            "unavailable",
          ),
        },
      },
    );
}
