// Reading the audit log for people: filters, pages, numbers, exports.

import { countAudit } from "../../db/audit-counts.ts";
import { readAudit, type AuditFilter, type AuditRow } from "../../db/audit-log.ts";
import { findAccountByUsername } from "../../db/accounts.ts";
import { findApplicationNames } from "../../db/applications.ts";
import { findOrganizationNames } from "../../db/organizations.ts";
import { AppError } from "../../lib/errors.ts";
import { canonicalUsername } from "../../lib/usernames.ts";
import { exportLine, readAnchor } from "../../observe/audit-chain.ts";
import { createExportFrame } from "../../observe/audit-export.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import { toAppError } from "../errors.ts";
import { choiceOf, typedChoice, wordsOf } from "../filters.ts";
import { cursorAfter, parsePage, parseSort, timeOf } from "../paging.ts";
import type { Scope } from "../scopes.ts";
import { csvHeader, csvLine, csvNote } from "./csv.ts";
import { toEventAnswer } from "./model.ts";

export interface AuditFilterQuery {
  org?: string;
  app?: string;
  actor?: string;
  action?: string;
  outcome?: string;
  from?: string;
  to?: string;
}

const hourMs = 3_600_000;
const rangeMs = { hour: hourMs, day: 24 * hourMs, week: 7 * 24 * hourMs };
const exportRows = 1_000;

export type AuditReader = ReturnType<typeof createAuditReader>;

export function createAuditReader(deps: ApiDeps) {
  const { db, nowMs } = deps;

  async function filterOf(orgId: string | null, query: AuditFilterQuery): Promise<AuditFilter> {
    const actor = typedChoice(query.actor);
    const outcome = choiceOf(query.outcome);
    return {
      org: choiceOf(orgId ?? query.org),
      app: choiceOf(query.app),
      actor: actor === null ? null : { ...actor, value: await actorIdOf(actor.value) },
      ...actionsAsked(query.action ?? ""),
      success: outcome === null ? null : (outcome.value === "success") !== outcome.not,
      fromMs: timeOf(query.from, "from"),
      toMs: timeOf(query.to, "to"),
    };
  }

  /** An account may be named; entries know its id. A name that nobody has finds nothing, as an unknown id does. */
  async function actorIdOf(actor: string): Promise<string> {
    if (/^[a-z]{3}_[0-9a-z]{26}$/.test(actor)) return actor;
    return (await findAccountByUsername(db.kysely, canonicalUsername(actor)))?.id ?? "";
  }

  async function answersOf(rows: readonly AuditRow[]) {
    const ids = (of: (row: AuditRow) => string | null) => [
      ...new Set(rows.map(of).filter((id): id is string => id !== null)),
    ];
    const names = {
      organizations: await findOrganizationNames(
        db.kysely,
        ids(({ org_id }) => org_id),
      ),
      applications: await findApplicationNames(
        db.kysely,
        ids(({ app_id }) => app_id),
      ),
    };
    return rows.map((row) => toEventAnswer(row, names));
  }

  return {
    async list(orgId: string | null, query: AuditFilterQuery & { limit?: number; cursor?: string; sort?: string }) {
      const sort = parseSort(query.sort, { time: "seq" }, "-time");
      const page = parsePage(query, sort);
      const after = page.after === null ? null : Number(page.after.value);
      const filter = await filterOf(orgId, query);
      const { rows, nextSeq } = await readAudit(db.kysely, filter, {
        limit: page.limit,
        descending: page.descending,
        after,
      });
      const nextCursor = nextSeq === null ? null : cursorAfter(sort, { value: nextSeq, id: "" });
      return { events: await answersOf(rows), nextCursor };
    },
    /** How often what happened lately. */
    async stats(orgId: string | null, query: { range?: keyof typeof rangeMs; org?: string }) {
      const sinceMs = nowMs() - rangeMs[query.range ?? "day"];
      const { counts, complete } = await countAudit(db.kysely, orgId ?? query.org ?? null, sinceMs);
      const byAction = [...counts]
        .map(([action, { succeeded, failed }]) => ({ action, succeeded, failed }))
        .sort((a, b) => b.succeeded + b.failed - a.succeeded - a.failed || (a.action < b.action ? -1 : 1));
      const sum = (key: "succeeded" | "failed"): number => byAction.reduce((total, one) => total + one[key], 0);
      const [succeeded, failed] = [sum("succeeded"), sum("failed")];
      const since = new Date(sinceMs).toISOString();
      return { since, total: succeeded + failed, succeeded, failed, byAction, complete };
    },
    /**
     * Everything that matches, oldest first, read page by page while the reader takes it and may; else it fails. The export itself
     * is audited.
     */
    async export(
      scope: Scope,
      query: AuditFilterQuery & { format?: "csv" | "jsonl" },
    ): Promise<ReadableStream<Uint8Array>> {
      const filter = await filterOf(scope.orgId, query);
      const isCsv = query.format === "csv";
      deps.audit.record({
        ...changeBy(scope.caller, scope.request),
        action: "audit.exported",
        details: { ...query },
      });
      const lineOf = isCsv ? csvLine : (row: AuditRow) => `${exportLine(row)}\n`;
      const noteOf = isCsv ? csvNote : (note: object) => `${JSON.stringify(note)}\n`;
      const frame = createExportFrame({ filters: filtersOf(scope.orgId, query), nowMs });
      const encoder = new TextEncoder();
      let after: number | null = null;
      let begun = false;
      const nextPiece = async (): Promise<{ text: string; isLast: boolean }> => {
        let text = "";
        // A page may be empty and still not be the last one.
        do {
          // Whoever lost the right meanwhile gets no more: the answer breaks off, and its last line is missing.
          if (begun) await scope.mustStillMay(db.kysely);
          const before = begun ? null : await readAnchor(db.kysely);
          const page = await readAudit(db.kysely, filter, { limit: exportRows, descending: false, after });
          const [first] = page.rows;
          if (before !== null) text = (isCsv ? csvHeader : "") + noteOf(frame.begin(before, first));
          // With a hole that nobody made it would be called forged.
          else if (first !== undefined && frame.wasOvertaken(await readAnchor(db.kysely), first))
            throw new AppError("conflict", "Retention removed entries that were to be exported.");
          begun = true;
          frame.passed(page.rows);
          text += page.rows.map(lineOf).join("");
          after = page.nextSeq;
          await Bun.sleep(0);
        } while (text === "" && after !== null);
        return after === null ? { text: text + noteOf(frame.end()), isLast: true } : { text, isLast: false };
      };
      return new ReadableStream<Uint8Array>({
        async pull(controller) {
          try {
            const { text, isLast } = await nextPiece();
            controller.enqueue(encoder.encode(text));
            if (isLast) controller.close();
          } catch (error) {
            // The answer has begun: nobody else says why it breaks off.
            throw toAppError(error, undefined, scope.request, deps.log);
          }
        },
      });
    },
  };
}

/** What leaves entries out of an export, as it was asked. */
function filtersOf(orgId: string | null, query: AuditFilterQuery & { format?: string }): Record<string, string> {
  const { format: _format, ...filters } = query;
  const asked = Object.entries({ ...filters, ...(orgId === null ? {} : { org: orgId }) });
  return Object.fromEntries(asked.filter((one): one is [string, string] => one[1] !== undefined && one[1] !== ""));
}

/** `login`, `login !login.failed`, `!tunnel !visitor`: each the beginning of actions, up to a dot. */
function actionsAsked(asked: string): { action: string | null; notActions: string[] } {
  const { wanted, unwanted } = wordsOf(asked);
  if (wanted.length > 1 || [...wanted, ...unwanted].some((word) => !/^[a-z0-9_.]+$/.test(word))) {
    throw new AppError("validation", "action must be one action or its beginning, and any with ! in front.", {
      field: "action",
    });
  }
  const bare = (word: string): string => word.replace(/\.$/, "");
  return { action: wanted[0] === undefined ? null : bare(wanted[0]), notActions: unwanted.map(bare) };
}
