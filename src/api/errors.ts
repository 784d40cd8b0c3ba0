// Maps every failure of the API to one error body; shows no internals and repeats nothing that was submitted.

import { ValidationError } from "elysia";
import { ValueErrorType, type ValueError } from "@sinclair/typebox/errors";
import { StorageFailure } from "../db/engine.ts";
import { AppError, errorCatalogue, type ErrorBody } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { factsOf, pathOf } from "./request.ts";

const storageText = "The database can't be used at the moment, so nothing was changed. Try again later.";
const doubtText = "The database did not say whether the change was made. Look before you try again.";

/** The refusal that an error of any origin becomes. What is nobody's fault but ours is logged, and answers `internal`. */
export function toAppError(error: unknown, code: unknown, request: Request, log: Logger): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof ValidationError && error.type !== "response") return describeValidation(error);
  if (code === "NOT_FOUND") return new AppError("not_found");
  if (code === "PARSE")
    return error instanceof Error && error.cause instanceof AppError ? error.cause : new AppError("bad_request");
  if (error instanceof StorageFailure) {
    log.error("the database failed a request", { ...placeOf(request), error: error.message });
    // An agent that tries again finds what was made.
    const doubt = agentActionOf(request) === null ? doubtText : undefined;
    return new AppError("unavailable", error.mayBeDone ? doubt : storageText, { cause: error });
  }
  const why = error instanceof ValidationError ? responseMismatch(error) : String(error);
  log.error("a request failed", {
    ...placeOf(request),
    error: why,
    stack: error instanceof Error && !(error instanceof ValidationError) ? error.stack : undefined,
  });
  return new AppError("internal", undefined, { cause: error });
}

const placeOf = (request: Request) => ({
  requestId: factsOf(request).requestId,
  method: request.method,
  path: pathOf(request),
});

/** Names the first offending field and the rule it broke; never its value. */
function describeValidation(error: ValidationError): AppError {
  const problem = firstProblem(error);
  if (problem === undefined) return new AppError("validation");
  const field = problem.path.replace(/^\//, "").replaceAll("/", ".");
  // A number of a query is judged by itself: its place is not known, and its schema says its name.
  const shown = field || (problem.schema.title ?? error.type);
  return new AppError("validation", `${shown} ${ruleOf(problem)}`, { field: shown.slice(0, 100) });
}

function firstProblem(error: ValidationError): ValueError | undefined {
  const { validator } = error;
  return "Errors" in validator && typeof validator.Errors === "function"
    ? (validator.Errors(error.value).First() as ValueError | undefined)
    : error.valueError;
}

function ruleOf(problem: ValueError): string {
  const { schema, type } = problem;
  switch (type) {
    case ValueErrorType.ObjectRequiredProperty:
      return "is required.";
    case ValueErrorType.ObjectAdditionalProperties:
      return "is not a known field.";
    case ValueErrorType.StringMinLength:
      return schema["minLength"] === 1 ? "must not be empty." : `must have at least ${schema["minLength"]} characters.`;
    case ValueErrorType.StringMaxLength:
      return `must have at most ${schema["maxLength"]} characters.`;
    case ValueErrorType.ObjectMinProperties:
      return `must have at least one of ${Object.keys(schema["properties"] as object).join(", ")}.`;
    case ValueErrorType.ArrayMaxItems:
      return `must have at most ${schema["maxItems"]} entries.`;
    default:
      return typeof schema["description"] === "string" && type === ValueErrorType.StringPattern
        ? `is not valid: ${schema["description"]}`
        : `must be ${expectedOf(schema)}.`;
  }
}

function expectedOf(schema: Record<string, unknown>): string {
  if (Array.isArray(schema["anyOf"])) {
    // Those of a query may come as text: nobody is asked to send it.
    const asked = schema["anyOf"].filter((option: Record<string, unknown>) => option["format"] !== "integer");
    const options = asked.map((option: Record<string, unknown>) => expectedOf(option));
    return [...new Set(options)].join(" or ");
  }
  if ("const" in schema) return JSON.stringify(schema["const"]);
  if (schema["type"] === "object") return "an object";
  if (schema["type"] === "array") return "a list";
  if (schema["type"] === "integer") return `a whole number${boundsOf(schema)}`;
  return typeof schema["type"] === "string" ? `a ${schema["type"]}` : "valid";
}

function boundsOf({ minimum, maximum }: Record<string, unknown>): string {
  return typeof minimum === "number" && typeof maximum === "number" ? ` from ${minimum} to ${maximum}` : "";
}

/** Our own answer broke its schema: the log names the place, not the value. */
function responseMismatch(error: ValidationError): string {
  const problem = firstProblem(error);
  return `the answer does not match its schema at ${problem?.path ?? "?"}: ${problem?.message ?? "unknown"}`;
}

interface Settable {
  status?: number | string;
  headers: Record<string, string | number>;
}

/** Sets what a refusal needs besides its body, and gives the body. Agents are also told whether and when retrying can help. */
export function answerRefusal(refusal: AppError, request: Request, set: Settable): ErrorBody {
  set.status = refusal.status;
  const retryAfter = retryAfterSeconds(refusal);
  if (retryAfter !== undefined) set.headers["retry-after"] = retryAfter;
  if (refusal.status === 401) set.headers["www-authenticate"] = "Bearer";
  const { error } = refusal.toBody(factsOf(request).requestId);
  if (agentActionOf(request) === null) return { error };
  const { retryable, retryAfterMs } = refusal;
  return { error: { ...error, retryable, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } };
}

/** What the audit log calls a refused call of an agent; null: it is no such call. */
export function agentActionOf(
  request: Request,
): "tunnel.refused" | "tunnel.check_refused" | "tunnel.release_refused" | null {
  const path = pathOf(request);
  if (request.method === "POST" && path === "/_tunnel/register") return "tunnel.refused";
  if (request.method === "GET" && path === "/_tunnel/credential") return "tunnel.check_refused";
  return request.method === "DELETE" && path.startsWith("/_tunnel/") ? "tunnel.release_refused" : null;
}

/** `Retry-After` in whole seconds, when the refusal knows it. */
function retryAfterSeconds(error: AppError): string | undefined {
  if (error.retryAfterMs !== undefined) return String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  return errorCatalogue[error.code].status === 503 ? "5" : undefined;
}
