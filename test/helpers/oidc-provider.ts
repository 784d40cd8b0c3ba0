// A real identity provider (oidc-provider) over real HTTP on loopback, which can be told to misbehave in one way.

import http from "node:http";
import type { AddressInfo } from "node:net";
import { Provider, type Configuration } from "oidc-provider";

export interface TestProvider extends AsyncDisposable {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Requests per path so far. */
  hits: Record<string, number>;
  /**
   * Plays the browser from our authorization URL to the provider's redirect back: logs in, consents, and returns the
   * address that the browser would be sent to.
   */
  authorize(url: string): Promise<URL>;
  stop(): Promise<void>;
}

/** What may be wrong. Everything else is the real provider's. */
export interface Misbehaviour {
  /** Claims of the account, in the ID token and at userinfo. */
  claims?: Record<string, unknown>;
  /** Who may come, by name, with their claims; the login page then asks which of them it is. */
  people?: Record<string, Record<string, unknown>>;
  /** The ID token holds no more than the subject; all else is at userinfo. */
  userInfoOnly?: boolean;
  /** Changes the ID token's claims; the result is signed anew with the provider's published key. */
  tamperClaims?: (claims: Record<string, unknown>) => void;
  /** Signs the tampered ID token another way. */
  sign?: "published" | "foreign" | "none" | "hs256" | "hs256-public-key" | "broken";
  /** Changes the discovery document. */
  tamperMetadata?: (metadata: Record<string, unknown>) => void;
  /** Changes the token endpoint's answer. */
  tamperTokens?: (tokens: Record<string, unknown>) => void;
  /** Takes a request over; true when it was answered. */
  intercept?: (request: http.IncomingMessage, response: http.ServerResponse) => boolean;
}

const clientId = "digit-link";
const clientSecret = "provider-client-secret-planted";

/** Starts a provider that lets `ada` in without asking. `redirectUris`: what the client may be sent back to. */
export async function startProvider(redirectUris: string[], misbehaviour: Misbehaviour = {}): Promise<TestProvider> {
  const keys = await createKeys();
  const hits: Record<string, number> = {};
  let handle: http.RequestListener = (_request, response) => void response.writeHead(503).end();
  const server = http.createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    hits[path] = (hits[path] ?? 0) + 1;
    if (misbehaviour.intercept?.(request, response) === true) return;
    if (path === "/token" || path === "/.well-known/openid-configuration")
      tamperAnswer(path, response, misbehaviour, keys);
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = createProvider(issuer, redirectUris, keys, misbehaviour);
  const callback = provider.callback();
  handle = (request, response) => {
    if (request.url?.startsWith("/interaction/") !== true) return void callback(request, response);
    const accountId = new URL(request.url, issuer).searchParams.get("who") ?? (misbehaviour.people ? null : "ada");
    if (accountId === null) return void response.end(loginPage(Object.keys(misbehaviour.people ?? {})));
    const result = { login: { accountId } };
    provider.interactionFinished(request, response, result).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  };
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    issuer,
    clientId,
    clientSecret,
    hits,
    authorize: (url) => authorize(url, issuer),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The provider's own pages load letters from elsewhere. */
const logoutPages = {
  logoutSource: (context: { body: unknown }, form: string) => {
    const button = `<button form="op.logoutForm" name="logout" value="yes">Yes, log out</button>`;
    context.body = `<!doctype html><title>The provider</title><h1>Log out here, too?</h1>${form}${button}`;
  },
  postLogoutSuccessSource: (context: { body: unknown }) => {
    context.body = `<!doctype html><title>The provider</title><h1>Logged out of the provider</h1>`;
  },
};

/** Asks who comes; nobody types a password at a provider of a test. */
function loginPage(names: string[]): string {
  const buttons = names.map((name) => `<button name="who" value="${name}">I am ${name}</button>`).join("");
  return `<!doctype html><title>The provider</title><h1>Who are you?</h1><form>${buttons}</form>`;
}

function createProvider(
  issuer: string,
  redirectUris: string[],
  keys: Keys,
  { claims = {}, people = {}, userInfoOnly = false }: Misbehaviour,
): Provider {
  const account = { email: "ada@example.com", email_verified: true, ...claims };
  const claimsOf = (sub: string) => ({ sub, ...(people[sub] ?? account) });
  const configuration: Configuration = {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: redirectUris,
        response_types: ["code"],
        grant_types: ["authorization_code"],
      },
    ],
    jwks: { keys: [keys.publishedJwk] },
    pkce: { required: () => true },
    conformIdTokenClaims: userInfoOnly,
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups", "staff", "role"] },
    findAccount: (_context: unknown, sub: string) => ({ accountId: sub, claims: () => claimsOf(sub) }),
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true, ...logoutPages } },
    interactions: { url: (_context: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
    cookies: { keys: ["cookie key of a test"] },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, AuthorizationCode: 60, IdToken: 600 },
    async loadExistingGrant(context: GrantContext) {
      const grant = new context.oidc.provider.Grant({ clientId, accountId: context.oidc.session.accountId });
      grant.addOIDCScope("openid email profile");
      await grant.save();
      return grant;
    },
  };
  return quietly(() => new Provider(issuer, configuration));
}

interface GrantContext {
  oidc: {
    provider: {
      Grant: new (owner: { clientId: string; accountId: string }) => {
        addOIDCScope(scope: string): void;
        save(): Promise<string>;
      };
    };
    session: { accountId: string };
  };
}

/** Follows redirects inside the provider, with its cookies, until one leads out of it. */
async function authorize(start: string, issuer: string): Promise<URL> {
  const jar = new Map<string, string>();
  let url = new URL(start);
  for (let hops = 0; hops < 10; hops++) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [name = "", value = ""] = (line.split(";", 1)[0] ?? "").split("=");
      jar.set(name, value);
    }
    const location = response.headers.get("location");
    if (location === null) throw new Error(`the provider answered ${response.status}: ${await response.text()}`);
    await response.body?.cancel();
    url = new URL(location, url);
    if (url.origin !== issuer) return url;
  }
  throw new Error("the provider redirects for ever");
}

interface Keys {
  publishedJwk: Record<string, string | undefined>;
  published: CryptoKey;
  foreign: CryptoKey;
}

const rsa = {
  name: "RSASSA-PKCS1-v1_5",
  modulusLength: 2_048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: "SHA-256",
};
let sharedKeys: Promise<Keys> | undefined;

/** Made once per process: keys are slow. */
function createKeys(): Promise<Keys> {
  sharedKeys ??= (async () => {
    const [published, foreign] = await Promise.all([
      crypto.subtle.generateKey(rsa, true, ["sign", "verify"]),
      crypto.subtle.generateKey(rsa, true, ["sign", "verify"]),
    ]);
    const jwk = await crypto.subtle.exportKey("jwk", published.privateKey);
    const { kty, n, e, d, p, q, dp, dq, qi } = jwk;
    const publishedJwk = { kty, n, e, d, p, q, dp, dq, qi, kid: "test", alg: "RS256", use: "sig" };
    return { publishedJwk, published: published.privateKey, foreign: foreign.privateKey };
  })();
  return sharedKeys;
}

/** Holds the provider's JSON answer back, changes it, and sends that. */
function tamperAnswer(path: string, response: http.ServerResponse, misbehaviour: Misbehaviour, keys: Keys): void {
  const { tamperMetadata, tamperClaims, tamperTokens, sign } = misbehaviour;
  if (path === "/token" && tamperClaims === undefined && tamperTokens === undefined && sign === undefined) return;
  if (path !== "/token" && tamperMetadata === undefined) return;
  const end = response.end.bind(response) as (body: string) => http.ServerResponse;
  response.end = ((body: unknown) => {
    const json = JSON.parse(String(body)) as Record<string, unknown>;
    void (async () => {
      if (path !== "/token") tamperMetadata?.(json);
      else if (typeof json["id_token"] === "string") {
        json["id_token"] = await resign(json["id_token"], misbehaviour, keys);
        tamperTokens?.(json);
      }
      const text = JSON.stringify(json);
      response.setHeader("content-length", Buffer.byteLength(text));
      end(text);
    })();
    return response;
  }) as typeof response.end;
}

async function resign(token: string, { tamperClaims, sign = "published" }: Misbehaviour, keys: Keys): Promise<string> {
  const [, payload = ""] = token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
  tamperClaims?.(claims);
  const alg = sign === "none" ? "none" : sign.startsWith("hs256") ? "HS256" : "RS256";
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const text = `${encode({ alg, typ: "JWT", ...(alg === "RS256" ? { kid: "test" } : {}) })}.${encode(claims)}`;
  return `${text}.${await signature(text, sign, keys)}`;
}

async function signature(text: string, sign: NonNullable<Misbehaviour["sign"]>, keys: Keys): Promise<string> {
  if (sign === "none") return "";
  if (sign === "hs256" || sign === "hs256-public-key") {
    // What a verifier would use that takes the client's secret, or the public key, for a symmetric key.
    const secret = sign === "hs256" ? clientSecret : (keys.publishedJwk["n"] ?? "");
    return new Bun.CryptoHasher("sha256", secret).update(text).digest("base64url");
  }
  const key = sign === "foreign" ? keys.foreign : keys.published;
  const bytes = Buffer.from(await crypto.subtle.sign("RSASSA-PKCS1-v1_5", key, Buffer.from(text)));
  if (sign === "broken") bytes[10] = (bytes[10] ?? 0) ^ 1;
  return bytes.toString("base64url");
}

/** The provider warns on the console about every default of a test set-up. */
function quietly<T>(work: () => T): T {
  const { warn, info } = console;
  console.warn = () => undefined;
  console.info = () => undefined;
  try {
    return work();
  } finally {
    Object.assign(console, { warn, info });
  }
}
