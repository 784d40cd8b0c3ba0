// llhttp, the parser of Node, driven directly (the WebAssembly build inside npm's `undici`), strict as Node uses it.

import { createRequire } from "node:module";
import { type MessageKind, type ParsedMessage, type ParseResult, trimOws } from "./parsed-message.ts";

interface LlhttpExports {
  memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_execute(parser: number, data: number, bytes: number): number;
  llhttp_finish(parser: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_get_status_code(parser: number): number;
  llhttp_should_keep_alive(parser: number): number;
  llhttp_resume_after_upgrade(parser: number): void;
}

const require = createRequire(import.meta.url);
const wasm = new WebAssembly.Module(require("undici/lib/llhttp/llhttp-wasm.js") as Uint8Array<ArrayBuffer>);
const { METHODS } = require("undici/lib/llhttp/constants.js") as { METHODS: Record<string, number> };
const methodNames = new Map(Object.entries(METHODS).map(([name, number]) => [number, name]));

const typeRequest = 1;
const typeResponse = 2;
const pausedUpgrade = 22;
const closedConnection = 5;
const inputBytes = 2 * 1024 * 1024;

/** Methods that llhttp knows; it refuses all others. */
export const llhttpMethods: readonly string[] = Object.keys(METHODS);

let current: { result: ParseResult; message: ParsedMessage | null; inBody: boolean; parser: number };

const text = (at: number, length: number): string => Buffer.from(llhttp.memory.buffer, at, length).toString("latin1");

const imports = {
  wasm_on_message_begin: () => {
    current.message = { method: "", target: "", status: 0, fields: [], body: "", trailers: [] };
    current.inBody = false;
    return 0;
  },
  wasm_on_url: (_: number, at: number, length: number) => {
    current.message!.target += text(at, length);
    return 0;
  },
  wasm_on_status: () => 0,
  // The whole input goes in at once, so that every name arrives in one piece.
  wasm_on_header_field: (_: number, at: number, length: number) => {
    const { message, inBody } = current;
    (inBody ? message!.trailers : message!.fields).push([text(at, length), ""]);
    return 0;
  },
  wasm_on_header_value: (_: number, at: number, length: number) => {
    const { message, inBody } = current;
    const field = (inBody ? message!.trailers : message!.fields).at(-1)!;
    field[1] = trimOws(field[1] + text(at, length));
    return 0;
  },
  wasm_on_headers_complete: (parser: number) => {
    const message = current.message!;
    message.method = methodNames.get(llhttp.llhttp_get_method(parser)) ?? "?";
    message.status = llhttp.llhttp_get_status_code(parser);
    current.inBody = true;
    return 0;
  },
  wasm_on_body: (_: number, at: number, length: number) => {
    current.message!.body += text(at, length);
    return 0;
  },
  wasm_on_message_complete: (parser: number) => {
    current.result.messages.push(current.message!);
    current.message = null;
    if (llhttp.llhttp_should_keep_alive(parser) === 0) current.result.closed = true;
    return 0;
  },
};

const llhttp = new WebAssembly.Instance(wasm, { env: imports }).exports as unknown as LlhttpExports;
const input = llhttp.malloc(inputBytes);

/** Reads `bytes` (at most 2 MiB) with llhttp; the connection ends cleanly behind them. */
export function parseWithLlhttp(bytes: Buffer, kind: MessageKind): ParseResult {
  if (bytes.length > inputBytes) throw new RangeError("the input is larger than the parser's buffer");
  const parser = llhttp.llhttp_alloc(kind === "request" ? typeRequest : typeResponse);
  const result: ParseResult = { messages: [], refused: null, open: false, closed: false };
  current = { result, message: null, inBody: false, parser };
  new Uint8Array(llhttp.memory.buffer, input, bytes.length).set(bytes);
  let at = 0;
  for (;;) {
    const code = llhttp.llhttp_execute(parser, input + at, bytes.length - at);
    if (code === pausedUpgrade) {
      at = llhttp.llhttp_get_error_pos(parser) - input;
      llhttp.llhttp_resume_after_upgrade(parser);
      continue;
    }
    if (code === closedConnection && result.closed) break;
    if (code !== 0) result.refused = reason(parser);
    // In the middle of a head there is nothing to finish: llhttp calls that an error, we call it open.
    else if (llhttp.llhttp_finish(parser) !== 0) result.open = true;
    break;
  }
  result.open ||= current.message !== null && result.refused === null;
  llhttp.llhttp_free(parser);
  for (const message of result.messages)
    if (kind === "request") message.status = 0;
    else message.method = "";
  return result;
}

function reason(parser: number): string {
  const at = llhttp.llhttp_get_error_reason(parser);
  const memory = Buffer.from(llhttp.memory.buffer);
  return memory.toString("latin1", at, memory.indexOf(0, at));
}
