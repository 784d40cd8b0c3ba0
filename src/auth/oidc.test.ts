// Tests of what is believed of a provider's description, without a provider.

import { describe, expect, setSystemTime, spyOn, test } from "bun:test";
import { OidcRefused } from "./oidc-types.ts";
import { createOidcClient } from "./oidc.ts";

const issuer = "https://provider.example";
const endpoints = {
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
};

/** Why a provider that describes itself so is refused; null when it isn't. */
async function refusalOf(description: Record<string, unknown>, allowHttp: boolean): Promise<string | null> {
  const oidc = createOidcClient({
    fetch: async (url) =>
      Response.json(String(url).includes("/.well-known/") ? { issuer, ...endpoints, ...description } : { keys: [{}] }),
    allowHttp,
  });
  try {
    await oidc.test(issuer);
    return null;
  } catch (error) {
    if (error instanceof OidcRefused) return error.reason;
    throw error;
  }
}

describe("security", () => {
  test("every endpoint is there and on the web, with TLS unless plain http is allowed", async () => {
    expect(await refusalOf({}, false)).toBeNull();
    for (const [name, url] of Object.entries(endpoints)) {
      const plain = url.replace("https:", "http:");
      for (const value of [undefined, "", "javascript:alert(1)", plain])
        expect({ name, value, refusal: await refusalOf({ [name]: value }, false) }).toMatchObject({
          refusal: "discovery",
        });
      expect({ name, refusal: await refusalOf({ [name]: plain }, true) }).toMatchObject({ refusal: null });
    }
  });
});

test("a description is read again after an hour, wherever the clock is set meanwhile", async () => {
  let reads = 0;
  const fetch = async () => {
    reads++;
    return Response.json({ issuer, ...endpoints });
  };
  const oidc = createOidcClient({ fetch, allowHttp: false });
  const provider = { issuerUrl: issuer, clientId: "id", clientSecret: null, scopes: [], allowedDomains: [] };
  const begin = () => oidc.begin({ ...provider, requiredClaims: {} }, "https://app.example/callback", "state");
  const startMs = performance.now();
  const monotonic = spyOn(performance, "now");
  using _ = { [Symbol.dispose]: () => (monotonic.mockRestore(), setSystemTime()) };
  for (const [hours, readsThen] of [
    [0, 1],
    [0.9, 1],
    [1.1, 2],
    [2, 2],
  ] as const) {
    monotonic.mockReturnValue(startMs + hours * 3_600_000);
    await begin();
    expect(reads).toBe(readsThen);
    setSystemTime(Date.UTC(2001, 0, 1));
  }
});
