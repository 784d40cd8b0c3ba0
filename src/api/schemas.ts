// Building blocks of request and answer schemas: closed objects, bounded strings, lists, the error body.

import { Type, type IntegerOptions, type TObject, type TProperties } from "@sinclair/typebox";
import { t, type TSchema } from "elysia";
import { errorCatalogue, type ErrorCode } from "../lib/errors.ts";

/** An object that refuses fields it does not name. Every body, query and answer is one. */
export function closed<P extends TProperties>(
  properties: P,
  options: { description?: string; minProperties?: number } = {},
): TObject<P> {
  return t.Object(properties, { ...options, additionalProperties: false });
}

/** A string with bounds; `maxLength` counts UTF-16 units. */
export const text = (maxLength: number, options: { minLength?: number; pattern?: string; description?: string } = {}) =>
  t.String({ maxLength, ...options });

/** A whole number in a body. (`t.Integer` takes its digits as text as well, as a query has them.) */
export const whole = (options: IntegerOptions) => Type.Integer(options);

export const idSchema = text(64, { minLength: 1, pattern: "^[A-Za-z0-9_-]+$", description: "An id of this server." });
export const idParams = closed({ id: idSchema });
export const timeSchema = t.String({ description: "ISO 8601, UTC.", format: "date-time" });
export const successSchema = closed({ success: t.Literal(true) });
export const noBody = t.Optional(closed({}));

/** `basedOn` of a change of what may not be there; see `checkBasedOn`. */
export const basedOnTime = (what: string) =>
  t.Optional(
    t.Nullable(
      t.String({
        format: "date-time",
        description: `The \`updatedAt\` of ${what} that was read before; null: there was none. Refused with 409 when it is another by now.`,
      }),
    ),
  );
/** The body of a removal that may say what was read before it. */
export const removalBody = (what: string) => t.Optional(closed({ basedOn: basedOnTime(what) }));

/** A time in a query; see `timeOf`. */
export const dateTime = (description: string) =>
  text(40, { minLength: 1, description: `${description} ISO 8601; UTC unless it names a zone.` });

/** `limit` and `cursor` of every list. */
export const pageQuery = {
  limit: t.Optional(
    t.Integer({ title: "limit", minimum: 1, maximum: 200, default: 50, description: "How many entries to answer." }),
  ),
  cursor: t.Optional(text(512, { description: "`nextCursor` of the page before." })),
};

/** What a list answers with: its entries under the plural name, and where the next page starts. */
export function listOf<K extends string, S extends TSchema>(plural: K, item: S) {
  const properties = { [plural]: t.Array(item), nextCursor: t.Nullable(t.String()) };
  return closed(properties as { [key in K]: ReturnType<typeof t.Array<S>> } & { nextCursor: typeof nullableString });
}

const nullableString = t.Nullable(t.String());

const errorSchema = (codes: readonly ErrorCode[]) =>
  closed(
    {
      error: closed({
        code: t.Union(codes.map((code) => t.Literal(code))),
        message: t.String(),
        requestId: t.Optional(t.String()),
        field: t.Optional(t.String()),
        retryable: t.Optional(t.Boolean({ description: "Agents: whether trying again can help." })),
        retryAfterMs: t.Optional(t.Number({ description: "Agents: not before this many milliseconds." })),
      }),
    },
    { description: schemaText(codes) },
  );

/** What any route may refuse with; the two in the middle because a path exists under its own host only. */
const everywhere: readonly ErrorCode[] = ["bad_request", "not_found", "misdirected", "internal", "unavailable"];

/**
 * The answers of a route for `response`: its successes by status, and every code it refuses with, grouped by status.
 * Typed as the successes alone, because refusals travel as AppError.
 */
export function answers<const S extends Record<number, TSchema>>(successes: S, ...codes: ErrorCode[]): S {
  const byStatus = Map.groupBy(new Set([...everywhere, ...codes]), (code) => errorCatalogue[code].status);
  const refusals = [...byStatus].map(([status, group]) => [status, errorSchema(group)] as const);
  return { ...Object.fromEntries(refusals), ...successes };
}

/** Answers that are no JSON, by status, as `detail.responses` has them. */
export type RawAnswers = Record<
  string,
  { description: string; content?: Record<string, { schema: { type: "string" } }> }
>;

/** As `answers`, for `detail.responses` of a route whose successes are no JSON. A status may be both: a page, or a refusal. */
export function rawAnswers(successes: RawAnswers, ...codes: ErrorCode[]) {
  const responses: Record<string, { description: string; content?: object }> = { ...successes };
  for (const [status, group] of Map.groupBy(
    new Set([...everywhere, ...codes]),
    (code) => errorCatalogue[code].status,
  )) {
    const page = successes[status];
    const content = { ...page?.content, "application/json": { schema: errorSchema(group) } };
    responses[status] = { description: [page?.description, schemaText(group)].filter(Boolean).join(" "), content };
  }
  return responses as Record<string, { description: string }>;
}

/** `rawAnswers` of a route that answers with a stream of one of these media types. */
export function streamAnswers(description: string, mediaTypes: readonly string[], ...codes: ErrorCode[]) {
  const content = Object.fromEntries(mediaTypes.map((type) => [type, { schema: { type: "string" as const } }]));
  return rawAnswers({ 200: { description, content } }, ...codes);
}

const schemaText = (codes: readonly ErrorCode[]): string =>
  codes.map((code) => `\`${code}\`: ${errorCatalogue[code].message}`).join(" ");

/** Codes of every route that takes a body. */
export const bodyErrors = [
  "validation",
  "unsupported_media_type",
  "payload_too_large",
  "csrf",
] as const satisfies ErrorCode[];
