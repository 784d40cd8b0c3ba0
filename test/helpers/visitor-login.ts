// A visitor's login from end to end: an application behind a policy, a real identity provider, and the steps of a browser.

import type { PolicyBody } from "../../src/api/policies/model.ts";
import { startProvider, type Misbehaviour, type TestProvider } from "./oidc-provider.ts";
import { startVisitorServer, type Browser, type VisitorServer } from "./visitor-server.ts";

export const app = "http://app.tunnel.localhost";
export const redirect = "http://tunnel.localhost/auth/visitor/callback";

export interface World extends AsyncDisposable {
  server: VisitorServer;
  provider: TestProvider;
}

/** Starts both, with an OIDC policy on `app` unless `skipPolicy`. */
export async function setUp(
  options: {
    misbehaviour?: Misbehaviour;
    policy?: Partial<PolicyBody>;
    apps?: string[];
    settings?: NonNullable<Parameters<typeof startVisitorServer>[0]>["settings"];
    skipPolicy?: boolean;
  } = {},
): Promise<World> {
  const provider = await startProvider([redirect], options.misbehaviour);
  const server = await startVisitorServer({ apps: options.apps ?? ["app"], settings: options.settings ?? {} });
  if (options.skipPolicy !== true) await server.setPolicy("app", { ...body(provider), ...options.policy });
  return {
    server,
    provider,
    async [Symbol.asyncDispose]() {
      await provider.stop();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** A policy that uses the provider. */
export function body(provider: TestProvider): PolicyBody {
  return {
    authType: "oidc",
    oidcIssuerUrl: provider.issuer,
    oidcClientId: provider.clientId,
    oidcClientSecret: provider.clientSecret,
    oidcScopes: ["openid", "email"],
  };
}

/** A whole login; the last answer that is ours. */
export async function login(world: World, browser: Browser) {
  const begun = await browser.send(`${app}/__auth/login`);
  return await finish(world, browser, begun.location);
}

/** From the provider's page to wherever our answers stop leading on. */
export async function finish(world: World, browser: Browser, location: string | null) {
  const back = await browser.send(await world.provider.authorize(location ?? ""));
  return back.location === null ? back : await browser.send(back.location);
}

/** What main answers to the shard about a session. */
export function ask(server: VisitorServer, session: string, name = "app") {
  return server.auth.answer({
    kind: "session",
    name,
    appId: `app_${name}`,
    session,
    address: "127.0.0.1",
    network: "127.0.0.1",
  });
}

/** The audited logins. */
export function outcomes(server: VisitorServer) {
  return server.audited
    .filter(({ action }) => action === "visitor.login")
    .map(({ success, reason, identity, appId }) => ({ success, reason: reason ?? null, identity, appId }));
}
