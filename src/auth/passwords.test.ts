// Tests of password rules and of the queue in front of bcrypt.

import { describe, expect, test } from "bun:test";
import { AppError } from "../lib/errors.ts";
import { isCommonPassword } from "./common-passwords.ts";
import { bcryptCost, checkPassword, createPasswords } from "./passwords.ts";

const refusal = (password: string, username = "somebody"): string | null => {
  try {
    checkPassword(password, username);
    return null;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
};

/** A hasher whose operations end when the test says so. */
function createSlowHasher() {
  const running: { end: (matches: boolean) => void; hash: string }[] = [];
  let most = 0;
  const hasher = {
    hash: async () => "hash",
    verify: (_password: string, hash: string) => {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      running.push({ hash, end: resolve });
      most = Math.max(most, running.length);
      return promise.finally(() => void running.splice(0, 1));
    },
  };
  return { hasher, running, most: () => most };
}

describe("rules", () => {
  test("length in characters and bytes", () => {
    expect(refusal("nine-char")).toContain("at least 10");
    expect(refusal("ten-chars-")).toBeNull();
    expect(refusal(`${"long-one-".repeat(8)}`)).toBeNull();
    expect(refusal(`${"long-one-".repeat(8)}x`)).toContain("at most 72 bytes");
    expect(refusal("passphrase of several words")).toBeNull();
    expect(refusal("\u{1f511}".repeat(9))).toContain("at least 10");
    for (const control of ["\t", "\u001f", "\u007f"])
      expect(refusal(`a${control}in-the-middle`)).toContain("no control characters");
  });

  test("common ones, in their usual decorations", () => {
    const common = [
      "password123",
      "P@ssw0rd2024!",
      "qwertyuiop",
      "1234567890",
      "aaaaaaaaaaaa",
      "abcabcabcabc",
      "9876543210",
      "iloveyou123",
      "Summer2026!!",
      "adminadmin",
      "correct horse battery staple",
    ];
    for (const password of common)
      expect({ password, common: isCommonPassword(password) }).toEqual({ password, common: true });
    for (const password of ["password123", "\uff50assword123"]) expect(refusal(password)).toContain("most common");
    const fine = ["quiet-river-stone", "Tr0ub4dor&3xyz", "xK9$mQ2!vLp0", "seven green bicycles", "admiral-nelson-7"];
    for (const password of fine)
      expect({ password, common: isCommonPassword(password) }).toEqual({ password, common: false });
  });

  test("the username with a little around it", () => {
    expect(refusal("Somebody123")).toContain("username");
    expect(refusal("qz7kSomebody9")).toContain("username");
    expect(refusal("qz7kwSomebody9")).toBeNull();
    expect(refusal("somebody-and-a-lot-more")).toBeNull();
  });
});

describe("security", () => {
  test("cost 12, and no password matches when there is no hash", async () => {
    const costs: number[] = [];
    const hashes: string[] = [];
    const passwords = createPasswords({
      hasher: {
        hash: async (_password, cost) => `${costs.push(cost)}`,
        verify: async (_password, hash) => hashes.push(hash) > 0,
      },
    });
    await passwords.hash("quiet-river-stone");
    expect(costs).toEqual([bcryptCost]);
    expect(bcryptCost).toBe(12);
    // Even a hasher that says yes.
    expect(await passwords.verify("quiet-river-stone", null)).toBe(false);
    expect(await passwords.verify("quiet-river-stone", "stored")).toBe(true);
    expect(hashes[0]).toMatch(/^\$2b\$12\$[./A-Za-z0-9]{53}$/);
  });

  test("the dummy hash costs as much as a real one", async () => {
    const seen: string[] = [];
    const passwords = createPasswords({
      cost: 7,
      hasher: { hash: async () => "", verify: async (_p, hash) => seen.push(hash) > 9 },
    });
    await passwords.verify("x", null);
    expect(seen[0]).toStartWith("$2b$07$");
    expect(await Bun.password.verify("x", seen[0]!, "bcrypt")).toBe(false);
  });

  test("a hash of less cost than new ones takes as long as the dummy", async () => {
    let rounds = 0;
    const stored = (cost: string) => `$2b$${cost}$${"a".repeat(53)}`;
    const verify = async (password: string, hash: string): Promise<boolean> => {
      rounds += 2 ** Number(hash.slice(4, 6));
      return hash.endsWith("aaa") === (password === "right");
    };
    const passwords = createPasswords({ cost: 9, hasher: { hash: async () => "", verify } });
    const outcomes: unknown[] = [];
    for (const hash of [null, stored("04"), stored("08"), stored("09")])
      for (const password of ["right", "wrong"]) {
        rounds = 0;
        outcomes.push([await passwords.verify(password, hash), rounds]);
      }
    const [yes, no] = [
      [true, 512],
      [false, 512],
    ];
    expect(outcomes).toEqual([no, no, yes, no, yes, no, yes, no]);
  });

  test("one at a time, 32 wait or run, the next is refused, and the queue recovers", async () => {
    const { hasher, running, most } = createSlowHasher();
    const passwords = createPasswords({ hasher });
    const accepted = Array.from({ length: 32 }, () => passwords.verify("x", "hash"));
    const refused = await passwords.verify("x", "hash").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(AppError);
    expect((refused as AppError).code).toBe("unavailable");
    for (let i = 0; i < 32; i++) {
      while (running.length === 0) await Promise.resolve();
      running[0]!.end(true);
      await accepted[i];
    }
    expect(await Promise.all(accepted)).toEqual(Array.from({ length: 32 }, () => true));
    expect(most()).toBe(1);
    const next = passwords.verify("x", "hash");
    while (running.length === 0) await Promise.resolve();
    running[0]!.end(false);
    expect(await next).toBe(false);
  });

  test("hashing waits in the same queue, which is as long as it is made", async () => {
    const { hasher, running } = createSlowHasher();
    const passwords = createPasswords({ hasher, queueLimit: 2 });
    const order: string[] = [];
    const first = passwords.verify("x", "hash").then(() => order.push("verified"));
    const second = passwords.hash("x").then(() => order.push("hashed"));
    expect(await passwords.hash("y").catch((error: unknown) => error)).toMatchObject({ code: "unavailable" });
    while (running.length === 0) await Promise.resolve();
    running[0]!.end(true);
    await Promise.all([first, second]);
    expect(order).toEqual(["verified", "hashed"]);
  });

  test("a failing operation fails alone", async () => {
    let calls = 0;
    const passwords = createPasswords({
      hasher: {
        hash: async () => "",
        verify: async () => {
          if (++calls === 1) throw new Error("broken");
          return true;
        },
      },
    });
    const first = passwords.verify("x", "h").catch((error: unknown) => String(error));
    const second = passwords.verify("x", "h");
    expect(await first).toBe("Error: broken");
    expect(await second).toBe(true);
  });

  test("one spelling of a password, however it was composed", async () => {
    const passwords = createPasswords({ cost: 4 });
    const hash = await passwords.hash("caf\u00e9-by-the-sea");
    for (const spelling of ["cafe\u0301-by-the-sea", "\uff43af\u00e9-by-the-sea"])
      expect(await passwords.verify(spelling, hash)).toBe(true);
  });
});
