// The operations of the API as its OpenAPI document has them, and somebody who may call each.

import type { Acme } from "./acme.ts";
import type { CallOptions, TestAnswer } from "./api.ts";
import { planted, type Schema } from "./bad-bodies.ts";
import { expect } from "bun:test";

export interface Operation {
  /** `METHOD /path`. */
  name: string;
  method: string;
  path: string;
  /** Null without one. */
  body: Schema | null;
  query: { name: string; schema: Schema & { pattern?: string } }[];
}

export async function readOperations({ api }: Acme): Promise<Operation[]> {
  interface Described {
    requestBody?: { content: Record<string, { schema: Schema }> };
    parameters?: { in: string; name: string; schema: Schema }[];
  }
  const { paths } = JSON.parse((await api.call("GET", "/swagger/json")).text) as {
    paths: Record<string, Record<string, Described>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody, parameters = [] }]) => ({
      ...{ name: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path },
      body: requestBody?.content["application/json"]?.schema ?? null,
      query: parameters.filter(({ in: place }) => place === "query"),
    })),
  );
}

export function callerOf(acme: Acme, { path }: Operation): CallOptions {
  if (path.startsWith("/setup/")) return {};
  return { session: (path.startsWith("/admin/") ? acme.admin : acme.boss).session };
}

/** A refusal of `field` that says which rule it broke, and nothing of itself or of what was sent. */
export function expectRefusal(at: object, answer: TestAnswer, field: string): void {
  expect({ ...at, status: answer.status, error: answer.body["error"] }).toEqual({
    ...at,
    status: 422,
    error: {
      ...{ code: "validation", field, requestId: expect.any(String) },
      message: expect.stringMatching(new RegExp(`^${field.replaceAll(".", "\\.")} (is|must) `)),
    },
  });
  expectSilent(at, answer);
}

/** No stack, no place in the sources, nothing of a database, and nothing that was sent. */
export function expectSilent(at: object, { text }: TestAnswer): void {
  const loud = new RegExp(`${planted}|\\.ts\\b|\\bat \\w+ \\(|node_modules|sqlite|postgres`, "i");
  expect({ ...at, text }).toEqual({ ...at, text: expect.not.stringMatching(loud) });
}
