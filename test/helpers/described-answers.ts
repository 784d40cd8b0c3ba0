// Every answer that a test of the API sees must be one that the OpenAPI document describes: its status, its type and its body.

import Ajv, { type ValidateFunction } from "ajv";

interface Media {
  schema?: object;
}
interface Operation {
  responses: Record<string, { content?: Record<string, Media> }>;
}
interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>;
}

/** What an answer is compared by; `text` is null for streams. */
export interface SeenAnswer {
  status: number;
  contentType: string | null;
  text: string | null;
}

export interface Description {
  /** Throws when the answer is none that the document describes for this operation. Paths without an operation are 404 or no API. */
  check(method: string, path: string, answer: SeenAnswer): void;
}

/** Reads a document as `/swagger/json` gives it. */
export function readDescription(text: string): Description {
  const document = JSON.parse(text) as OpenApiDocument;
  const ajv = new Ajv({ strictTypes: false, allErrors: true });
  ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const validators = new Map<object, ValidateFunction>();
  // Every operation describes the same refusals: one is compiled for all of them.
  const compiled = new Map<string, ValidateFunction>();
  const compile = (schema: object): ValidateFunction => {
    const text = JSON.stringify(schema);
    const validate = compiled.get(text) ?? ajv.compile(schema);
    compiled.set(text, validate);
    return validate;
  };
  // Fixed paths before those with parameters, as the router has it.
  const paths = Object.keys(document.paths)
    .map((path) => ({ path, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`) }))
    .sort((a, b) => a.path.split("{").length - b.path.split("{").length);

  function operationOf(method: string, path: string): Operation | undefined {
    const found = paths.find(
      ({ path: one, pattern }) => pattern.test(path) && document.paths[one]![method.toLowerCase()] !== undefined,
    );
    return found === undefined ? undefined : document.paths[found.path]![method.toLowerCase()];
  }

  function problem(operation: Operation, { status, contentType, text }: SeenAnswer): string | null {
    const described = operation.responses[status];
    if (described === undefined) return `status ${status} is not described (${text})`;
    const type = contentType?.split(";", 1)[0] ?? null;
    if (described.content === undefined)
      return type === null || text === "" ? null : `a body of ${type} is not described`;
    const media = type === null ? undefined : described.content[type];
    if (media === undefined) return `an answer of type ${type} is not described`;
    if (type !== "application/json" || text === null || media.schema === undefined) return null;
    const validate = validators.get(media.schema) ?? compile(media.schema);
    validators.set(media.schema, validate);
    return validate(JSON.parse(text)) ? null : `${ajv.errorsText(validate.errors)} in ${text.slice(0, 500)}`;
  }

  return {
    check(method, path, answer) {
      const operation = operationOf(method, path);
      const wrong = operation === undefined ? null : problem(operation, answer);
      if (wrong !== null) throw new Error(`${method} ${path} answered what its description does not know: ${wrong}`);
    },
  };
}

// On globalThis because each test file may get its own copy of this module.
const holder = globalThis as { digitLinkTestDescriptions?: Map<string, Promise<Description>> };

/**
 * `api.handle` that checks each answer. The document is asked for with the first of them, once per process for the same routes: to
 * write it and to compile its schemas costs more than most tests, which have an API of their own each.
 */
export function handleDescribed(api: {
  readonly routes: readonly { method: string; path: string }[];
  handle(request: Request): Promise<Response>;
}): (request: Request) => Promise<Response> {
  const descriptions = (holder.digitLinkTestDescriptions ??= new Map<string, Promise<Description>>());
  const routes = api.routes.map(({ method, path }) => `${method} ${path}`).join("\n");
  const read = async (): Promise<Description> => {
    const headers = { "x-digit-link-address": "127.0.0.1", "x-digit-link-host": "127.0.0.1" };
    const response = await api.handle(new Request("http://localhost/swagger/json", { headers }));
    return readDescription(await response.text());
  };
  return async (request) => {
    const response = await api.handle(request);
    const description = descriptions.get(routes) ?? read();
    descriptions.set(routes, description);
    const contentType = response.headers.get("content-type");
    const isText = contentType === null || /^application\/json\b/.test(contentType);
    const text = isText ? await response.clone().text() : null;
    (await description).check(request.method, new URL(request.url).pathname, {
      status: response.status,
      contentType,
      text,
    });
    return response;
  };
}
