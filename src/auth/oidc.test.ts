// Tests of what is believed of a provider's description, without a provider.

import { describe, expect, test } from "bun:test";
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
