// /admin/audit and /org/audit: list, numbers, export. Organization admins see their organization's.

import { newRoutes } from "../routes.ts";
import { answers, streamAnswers } from "../schemas.ts";
import { readErrors, type Portal } from "../scopes.ts";
import * as model from "./model.ts";
import type { AuditReader } from "./service.ts";

export function createAuditRoutes(portal: Portal, reader: AuditReader) {
  const tag = `${portal.tag}: audit`;
  const isAdmin = portal.prefix === "/admin";
  return newRoutes(`${portal.prefix}/audit`, tag, portal.security)
    .use(portal.change)
    .get("", ({ scope, query }) => reader.list(scope.orgId, query), {
      query: isAdmin ? model.adminListQuery : model.orgListQuery,
      response: answers({ 200: model.eventsAnswer }, ...readErrors),
      detail: { summary: "What happened" },
    })
    .get("/stats", ({ scope, query }) => reader.stats(scope.orgId, query), {
      query: isAdmin ? model.adminStatsQuery : model.orgStatsQuery,
      response: answers({ 200: model.statsAnswer }, ...readErrors),
      detail: { summary: "How often what happened in the last hour, day or week" },
    })
    .get(
      "/export",
      async ({ scope, query }) => {
        const isCsv = query.format === "csv";
        const stream = await reader.export(scope, query);
        return new Response(stream, {
          headers: {
            "content-type": isCsv ? "text/csv; charset=utf-8" : "application/jsonl; charset=utf-8",
            "content-disposition": `attachment; filename="audit.${isCsv ? "csv" : "jsonl"}"`,
          },
        });
      },
      {
        query: isAdmin ? model.adminExportQuery : model.orgExportQuery,
        detail: {
          summary: "Everything that matches, oldest first, as a file",
          description:
            "The first line says which place in the hash chain the entries continue, " +
            'the last one how many there were and where the chain was then: `{"action": "export.begin", "whole", ' +
            '"filters", "afterSeq", "afterHash"}`, `{"action": "export.end", "rows", "lastSeq", "lastHash"}` (in CSV in the columns of entries). ' +
            "`digit-link audit verify` checks a JSONL export that was made without filters. It breaks off, without the last line, when whoever " +
            "reads it may not any more, or retention removes what was to come.",
          responses: streamAnswers("The file.", ["application/jsonl", "text/csv"], ...readErrors),
        },
      },
    );
}
