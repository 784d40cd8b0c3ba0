// The shapes of the HTTP API: types of the server's own schemas, so that a change there fails to compile here.

import type { Static } from "@sinclair/typebox";
import type { accountSchema } from "../../../src/api/accounts/model.ts";
import type { applicationSchema } from "../../../src/api/applications/model.ts";
import type { eventSchema } from "../../../src/api/audit/model.ts";
import type { keySchema } from "../../../src/api/keys/model.ts";
import type { overviewAnswer, requestsAnswer, statsAnswer, trafficAnswer } from "../../../src/api/live/model.ts";
import type { TunnelStats, tunnelSchema } from "../../../src/api/live/tunnel-model.ts";
import type { enrolmentAnswer, meAnswer, sessionsAnswer } from "../../../src/api/login/model.ts";
import type { limitSchema, organizationSchema } from "../../../src/api/organizations/model.ts";
import type { effectiveSchema, oidcTestSchema, policyBody, policySchema } from "../../../src/api/policies/model.ts";
import type { rateLimitBody, rateLimitSchema } from "../../../src/api/rate-limits/model.ts";
import type { entrySchema } from "../../../src/api/whitelists/entries.ts";
import type { LiveStats } from "../../../src/observe/live-ticks.ts";
import type { RefusalView } from "../../../src/observe/refusals.ts";
import type { RequestView } from "../../../src/observe/request-view.ts";

export type Account = Static<typeof accountSchema>;
export type Organization = Static<typeof organizationSchema>;
export type Application = Static<typeof applicationSchema>;
/** A limit of the server that bounds an organization. */
export type Limit = Static<typeof limitSchema>;
export type RateLimit = Static<typeof rateLimitSchema>;
export type RateLimitInput = Static<typeof rateLimitBody>;
export type ApiKey = Static<typeof keySchema>;
export type WhitelistEntry = Static<typeof entrySchema>;
export type Tunnel = Static<typeof tunnelSchema>;
export type { LiveStats, TunnelStats };
export type TunnelAgent = Tunnel["agents"][number];
/** Whether the local service behind a tunnel answered, and how old that proof is. */
export type LocalStatus = Tunnel["local"];
export type Policy = Static<typeof policySchema>;
/** A policy as it is sent; a secret left out keeps the stored one. */
export type PolicyInput = Static<typeof policyBody>;
export type EffectivePolicy = Static<typeof effectiveSchema>;
export type PolicySource = EffectivePolicy["authentication"]["source"];
export type ProviderTest = Static<typeof oidcTestSchema>;
export type Me = Static<typeof meAnswer>;
export type LoginSession = Static<typeof sessionsAnswer>["sessions"][number];
export type TotpEnrolment = Static<typeof enrolmentAnswer>;
export type Refusal = RefusalView;
export type RequestsAnswer = Omit<Static<typeof requestsAnswer>, "requests"> & { requests: CapturedRequest[] };
export type CapturedRequest = RequestView;

export type AuthMode = "inherit" | "disabled" | "custom";
export type AuthType = "basic" | "api_key" | "oidc";

export type ClaimValue = string | number | boolean;

export type AuditEvent = Static<typeof eventSchema>;
export type Stats = Static<typeof statsAnswer>;
export type TrafficPoint = Static<typeof trafficAnswer>["points"][number];
export type Overview = Static<typeof overviewAnswer>;
