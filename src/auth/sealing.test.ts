// Tests of sealing: round trips, rotation, and everything that must not open.

import { describe, expect, test } from "bun:test";
import { createDecipheriv, hkdfSync } from "node:crypto";
import { createSealer, SealError } from "./sealing.ts";

const oldKey = "old key of at least thirty-two bytes";
const newKey = "new key of at least thirty-two bytes";

test("opens what it sealed", () => {
  const sealer = createSealer([newKey]);
  for (const text of ["", "seed", "ünïcödé \u{1f511}", "x".repeat(100_000)]) {
    expect(sealer.open("totp-seed", "accounts/1", sealer.seal("totp-seed", "accounts/1", text))).toBe(text);
  }
});

test("rotation: old values open with the old key, new ones are sealed with the new key", () => {
  const before = createSealer([oldKey]).seal("totp-seed", "accounts/1", "seed");
  const rotated = createSealer([newKey, oldKey]);
  expect(rotated.open("totp-seed", "accounts/1", before)).toBe("seed");
  expect(before).not.toStartWith(rotated.newestPrefix);
  const after = rotated.seal("totp-seed", "accounts/1", "seed");
  expect(after).toStartWith(rotated.newestPrefix);
  expect(createSealer([newKey]).open("totp-seed", "accounts/1", after)).toBe("seed");
});

describe("security", () => {
  const sealer = createSealer([newKey]);
  const sealed = sealer.seal("totp-seed", "accounts/1", "seed");

  test("another row, purpose or key opens nothing", () => {
    expect(() => sealer.open("totp-seed", "accounts/2", sealed)).toThrow(SealError);
    expect(() => sealer.open("oidc-secret", "accounts/1", sealed)).toThrow(SealError);
    expect(() => createSealer([oldKey]).open("totp-seed", "accounts/1", sealed)).toThrow(SealError);
  });

  test("each purpose has a key of its own, derived from the one in the settings", () => {
    for (const purpose of ["totp-seed", "oidc-secret", "oauth-state", "setup-draft"] as const) {
      const payload = Buffer.from(sealer.seal(purpose, "accounts/1", "seed").split(".")[2]!, "base64url");
      const keyId = Buffer.from(hkdfSync("sha256", newKey, "digit-link", "key-id", 6)).toString("hex");
      const open = (info: string): string => {
        const key = Buffer.from(hkdfSync("sha256", newKey, "digit-link", info, 32));
        const decipher = createDecipheriv("aes-256-gcm", key, payload.subarray(0, 12));
        decipher.setAAD(Buffer.from(JSON.stringify([purpose, "accounts/1", keyId])));
        decipher.setAuthTag(payload.subarray(-16));
        return decipher.update(payload.subarray(12, -16), undefined, "utf8") + decipher.final("utf8");
      };
      // What is stored must open for ever: the derivation can't change unnoticed.
      expect(open(`seal/${purpose}`)).toBe("seed");
      expect(() => open("seal")).toThrow();
    }
  });

  test("no changed, cut or made-up value opens", () => {
    const [version, keyId, payload] = sealed.split(".") as [string, string, string];
    const bytes = Buffer.from(payload, "base64url");
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes);
      changed[i]! ^= 1;
      expect(() =>
        sealer.open("totp-seed", "accounts/1", `${version}.${keyId}.${changed.toString("base64url")}`),
      ).toThrow(SealError);
    }
    const others = [
      "",
      "v1",
      `v2.${keyId}.${payload}`,
      `v1.000000000000.${payload}`,
      `v1.${keyId}.AAAA`,
      `${sealed}.x`,
    ];
    for (const other of others) expect(() => sealer.open("totp-seed", "accounts/1", other)).toThrow(SealError);
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length).toString("base64url");
      expect(() => sealer.open("totp-seed", "accounts/1", `v1.${keyId}.${cut}`)).toThrow(SealError);
    }
  });

  test("the same text is never sealed the same way, and shows nothing", () => {
    expect(sealer.seal("totp-seed", "accounts/1", "seed")).not.toBe(sealed);
    expect(Buffer.from(sealed.split(".")[2]!, "base64url").includes("seed")).toBe(false);
    expect(sealed).not.toContain(newKey.slice(0, 6));
  });
});
