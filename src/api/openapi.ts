// The OpenAPI document: made by @elysiajs/swagger (imported here and nowhere else) from the routes, as valid OpenAPI 3.0.

import { swagger } from "@elysiajs/swagger";
import { Elysia } from "elysia";
import type { AnyElysia } from "elysia";

const documentation = {
  info: {
    title: "digit-link",
    version: "1",
    description:
      "The control plane of a digit-link server: accounts, organizations, applications, tunnels. Every list has pages " +
      "(`limit`, `cursor`); `!` in front of a filter's value means everything but that (`org=!org_1`, `action=!visitor`). " +
      "A page may have fewer entries than asked for, none even, and still have a `nextCursor`: where no index answers all " +
      "filters, only so many entries are looked at in one call.",
  },
  components: {
    securitySchemes: {
      cookie: {
        type: "apiKey" as const,
        in: "cookie" as const,
        name: "__Host-dl_session",
        description: "A dashboard session (`dl_session` without https).",
      },
      bearer: {
        type: "http" as const,
        scheme: "bearer",
        bearerFormat: "JWT",
        description: "A dashboard session, for scripts.",
      },
      adminToken: {
        type: "apiKey" as const,
        in: "header" as const,
        name: "X-Admin-Token",
        description: "An admin's API token.",
      },
      agent: { type: "http" as const, scheme: "bearer", description: "An account's token or an API key." },
    },
  },
};

/**
 * Serves the document at `/swagger/json`. The plugin runs on an inner instance that nobody else reaches, because it would
 * also serve a page that loads its viewer from a third party. `routes` are what is described.
 */
export function createOpenApi(routes: () => AnyElysia[]) {
  let document: Promise<string> | undefined;
  return new Elysia().get(
    "/swagger/json",
    async () => {
      document ??= describe(routes());
      return new Response(await document, { headers: { "content-type": "application/json" } });
    },
    { detail: { hide: true } },
  );
}

async function describe(routes: AnyElysia[]): Promise<string> {
  const inner = new Elysia().use(swagger({ documentation, path: "/swagger" }));
  for (const plugin of routes) inner.use(plugin);
  const response = await inner.handle(new Request("http://localhost/swagger/json"));
  const document = toOpenApi30(await response.json()) as { paths: Record<string, Record<string, Node>> };
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    if (operation["requestBody"] !== undefined) onlyJson(operation["requestBody"] as Node);
    for (const answer of Object.values(operation["responses"] as Record<string, Node>)) {
      answer["description"] ??= "Done.";
      onlyJson(answer);
    }
  }
  return JSON.stringify(document);
}

type Node = Record<string, unknown>;

const json = "application/json";

/** The plugin offers each body as text and as a form, too, and forgets that answers have no fields beside the named ones. */
function onlyJson(described: Node): void {
  const content = described["content"] as Record<string, { schema: Node }> | undefined;
  const media = content?.[json];
  if (content === undefined || media === undefined) return;
  if (media.schema["type"] === "object") media.schema["additionalProperties"] ??= false;
  const { "multipart/form-data": _form, "text/plain": _text, ...rest } = content;
  described["content"] = rest;
}

/** TypeBox writes JSON Schema; OpenAPI 3.0 has no `const`, no `null` type and no `patternProperties`. */
function toOpenApi30(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toOpenApi30);
  if (typeof value !== "object" || value === null) return value;
  const node: Node = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toOpenApi30(inner)]));
  if ("const" in node) {
    node["enum"] = [node["const"]];
    delete node["const"];
  }
  if (Array.isArray(node["anyOf"])) return simplifyUnion(node, node["anyOf"] as Node[]);
  const pattern = node["patternProperties"];
  if (typeof pattern === "object" && pattern !== null) {
    node["additionalProperties"] = Object.values(pattern)[0] ?? true;
    delete node["patternProperties"];
  }
  return node;
}

function simplifyUnion(node: Node, options: Node[]): Node {
  const { anyOf: _, nullable: _nullable, ...rest } = node;
  const real = options.filter((option) => option["type"] !== "null");
  const nullable = real.length < options.length ? { nullable: true } : {};
  const literals = real.flatMap((option) => (Array.isArray(option["enum"]) ? (option["enum"] as unknown[]) : []));
  const [only] = real;
  if (real.length === literals.length) return { ...rest, ...nullable, type: typeof literals[0], enum: literals };
  // What may be anything may be null, and `nullable` says nothing without a type.
  if (only !== undefined && real.length === 1 && only["type"] === undefined) return { ...rest, ...only };
  // Query numbers are `numeric text or number`: on the wire they are the number.
  const number = real.find((option) => option["type"] === "integer" || option["type"] === "number");
  if (number !== undefined && real.some((option) => option["format"] === "numeric" || option["format"] === "integer")) {
    return { ...rest, ...number, ...nullable };
  }
  return real.length === 1 && only !== undefined
    ? { ...rest, ...only, ...nullable }
    : { ...rest, anyOf: real.map((option) => ({ ...option, ...nullable })) };
}
