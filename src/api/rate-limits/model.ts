// Bodies and answers about failure limiters of organizations and applications.

import { t, type Static } from "elysia";
import { closed, removalBody, timeSchema, whole } from "../schemas.ts";

/** The body of PUT …/rate-limit. */
export const rateLimitBody = closed(
  {
    enabled: t.Optional(t.Boolean()),
    maxAttempts: t.Optional(whole({ minimum: 1, maximum: 100 })),
    windowDurationSeconds: t.Optional(whole({ minimum: 60, maximum: 3_600 })),
    blockDurationSeconds: t.Optional(whole({ minimum: 60, maximum: 86_400 })),
  },
  {
    description: "What is left out stays as it is; what was inherited so far becomes the owner's own.",
    minProperties: 1,
  },
);
export const rateLimitRemovalBody = removalBody("the owner's own limiter");
export type RateLimitBody = Static<typeof rateLimitBody>;

const limit = {
  enabled: t.Boolean(),
  maxAttempts: t.Integer(),
  windowDurationSeconds: t.Integer(),
  blockDurationSeconds: t.Integer(),
};
const ofOrganization = t.Literal("organization");
const ofServer = t.Literal("default", { description: "The server's settings, LIMITER_…." });

/** What is in force for an owner, and what would be without settings of its own. */
export const rateLimitSchema = closed({
  ...limit,
  isDefault: t.Boolean({ description: "The owner has no settings of its own." }),
  updatedAt: t.Nullable(timeSchema),
  source: t.Union([t.Literal("application"), ofOrganization, ofServer]),
  inherited: closed(
    { ...limit, source: t.Union([ofOrganization, ofServer]) },
    { description: "What counts without settings of its own." },
  ),
});
export type RateLimitView = Static<typeof rateLimitSchema>;

export const rateLimitAnswer = closed({ rateLimit: rateLimitSchema });
export const rateLimitChangedAnswer = closed({ success: t.Literal(true), rateLimit: rateLimitSchema });
