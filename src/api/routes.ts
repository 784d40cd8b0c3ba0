// The instance that every feature's routes are made on, so that none forgets a setting.

import { Elysia } from "elysia";

/** A group of routes under a prefix, listed under `tag` in the documentation. Unknown fields are refused, never dropped. */
export function newRoutes<const P extends string>(prefix: P, tag: string, security: Record<string, string[]>[] = []) {
  return new Elysia({ prefix, normalize: false, detail: { tags: [tag], security } });
}
