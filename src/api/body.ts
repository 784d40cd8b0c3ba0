// Request bodies: JSON only, at most 1 MiB, bounded depth, and no key that could reach a prototype.

import { AppError } from "../lib/errors.ts";
import { refuseNul } from "./nul.ts";
import { isUnsafe } from "./request.ts";

const maxBodyBytes = 1024 * 1024;
const maxDepth = 16;
const dangerousKeys = new Set(["__proto__", "constructor", "prototype"]);

/** Refuses a body by its headers, before anything reads it: 415 for other types, 413 for a declared length over the limit. */
export function checkBodyHeaders(request: Request): void {
  if (!isUnsafe(request.method)) return;
  const length = Number(request.headers.get("content-length") ?? "0");
  if (length > maxBodyBytes) throw new AppError("payload_too_large");
  const type = request.headers.get("content-type");
  const hasBody = length > 0 || request.headers.has("transfer-encoding");
  if (type === null ? hasBody : !isJson(type)) throw new AppError("unsupported_media_type");
}

/** Reads and parses a JSON body, an object; an empty one is `{}`. Throws `payload_too_large`, `bad_request` or `validation`. */
export async function readJson(request: Request): Promise<unknown> {
  const text = await readText(request);
  if (text === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError("bad_request", "The request body is not valid JSON.", { cause });
  }
  checkShape(value, []);
  // Schemas without a required field would let a list or null pass for an empty object.
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new AppError("validation", "body must be an object.", { field: "body" });
  return value;
}

async function readText(request: Request): Promise<string> {
  // Of a declared length, which was looked at before: in one piece, because a stream takes 256 KiB for however little comes.
  const bytes = request.headers.has("content-length") ? await request.bytes() : await readStream(request);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError("bad_request", "The request body is not valid UTF-8.", { cause });
  }
}

async function readStream(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBodyBytes) throw new AppError("payload_too_large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function checkShape(value: unknown, path: readonly string[]): void {
  if (typeof value === "string") refuseNul(value, path.join(".") || "body");
  if (typeof value !== "object" || value === null) return;
  if (path.length >= maxDepth)
    throw new AppError("bad_request", `The request body is nested more than ${maxDepth} deep.`);
  for (const [key, inner] of Object.entries(value)) {
    if (dangerousKeys.has(key)) throw new AppError("bad_request", "The request body has a key that is not allowed.");
    checkShape(inner, [...path, key]);
  }
}

function isJson(type: string): boolean {
  return /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type);
}
