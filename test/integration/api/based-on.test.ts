// Changes that say by `basedOn` what was read before them, and come too late.

import { describe, expect, test } from "bun:test";
import type { TestAnswer } from "../../helpers/api.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { errorOf, openAcme, type Acme } from "../../helpers/acme.ts";

const updatedAt = async (acme: Acme, path: string, what: string) =>
  ((await acme.asBoss("GET", path)).body[what] as { updatedAt: string | null } | null)?.updatedAt;
const outcome = (answer: TestAnswer) => (answer.status === 200 ? "done" : errorOf(answer).code);

describeEngines("a change that is based on what is not stored any more", (open) => {
  describe("security", () => {
    test("an application does not begin to follow an organization whose policy was removed or changed since", async () => {
      await using acme = await openAcme(open);
      const { asBoss } = acme;
      const app = await acme.createApp();
      await asBoss("PUT", `/org/applications/${app.id}`, { authMode: "custom" });
      await asBoss("PUT", "/org/policy", { authType: "api_key" });
      const seen = await updatedAt(acme, "/org/policy", "policy");
      const follow = async (basedOnPolicy: unknown) =>
        outcome(await asBoss("PUT", `/org/applications/${app.id}`, { authMode: "inherit", basedOnPolicy }));
      const modeOf = async () =>
        ((await asBoss("GET", `/org/applications/${app.id}`)).body["application"] as { authMode: string }).authMode;

      await asBoss("DELETE", "/org/policy");
      expect(await follow(seen)).toBe("conflict");
      expect(await modeOf()).toBe("custom");
      expect(await follow("soon")).toBe("validation");
      expect(await follow(null)).toBe("done");

      await asBoss("PUT", "/org/policy", { authType: "api_key" });
      expect(await follow(null)).toBe("conflict");
      expect(await follow(await updatedAt(acme, "/org/policy", "policy"))).toBe("done");
      // Whoever does not say what was read follows whatever there is.
      expect(await follow(undefined)).toBe("done");
    });

    test.each([
      ["policy", "policy", { authType: "api_key" }],
      ["rate-limit", "rateLimit", { maxAttempts: 3 }],
    ])("%s: what somebody else has stored since is not removed", async (path, what, more) => {
      await using acme = await openAcme(open);
      const { asBoss, api } = acme;
      const app = await acme.createApp();
      for (const owner of ["/org", `/org/applications/${app.id}`]) {
        const at = `${owner}/${path}`;
        const remove = async (basedOn: unknown) => outcome(await asBoss("DELETE", at, { basedOn }));
        await asBoss("PUT", at, more);
        const seen = await updatedAt(acme, at, what);
        await asBoss("PUT", at, more);
        const audits = api.audited.length;
        expect(await remove(seen)).toBe("conflict");
        expect(await remove(null)).toBe("conflict");
        expect(await remove("yesterday")).toBe("validation");
        expect(api.audited).toHaveLength(audits);
        const now = await updatedAt(acme, at, what);
        expect(await remove(now)).toBe("done");
        expect(await remove(now)).toBe("conflict");
        await asBoss("PUT", at, more);
        expect(outcome(await asBoss("DELETE", at))).toBe("done");
      }
    });
  });
});
