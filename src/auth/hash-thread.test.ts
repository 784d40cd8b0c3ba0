// The thread that hashes: its priority, its death, its end. Real threads.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "../../test/helpers/eventually.ts";
import { AppError } from "../lib/errors.ts";
import { createHashThread } from "./hash-thread.ts";
import { createPasswords } from "./passwords.ts";

const script = new URL("../../workers/hash.ts", import.meta.url);

/** Dies of the password "die"; to anything else the answer is yes. */
const mortal = URL.createObjectURL(
  new Blob(["onmessage = ({ data }) => data.password === 'die' ? process.exit(3) : postMessage({ value: true })"]),
);

/** Never comes to an end with the password "hang"; to anything else the answer is yes. */
const stubborn = URL.createObjectURL(
  new Blob(["onmessage = ({ data }) => { while (data.password === 'hang'); postMessage({ value: true }); }"]),
);

/** Name and nice value of each thread of this process, by its id (proc(5), `stat`: the 2nd and the 19th field). */
function niceOfThreads(): Map<string, { name: string; nice: number }> {
  const found = new Map<string, { name: string; nice: number }>();
  for (const id of readdirSync("/proc/self/task")) {
    let stat = "";
    try {
      stat = readFileSync(`/proc/self/task/${id}/stat`, "utf8");
    } catch {
      // It ended since it was listed.
      continue;
    }
    const nameEnd = stat.lastIndexOf(")");
    const nice = Number(stat.slice(nameEnd + 2).split(" ")[16]);
    found.set(id, { name: stat.slice(stat.indexOf("(") + 1, nameEnd), nice });
  }
  return found;
}

describe("the hash thread", () => {
  test("hashes and judges as Bun's own; a hash that is none fails alone", async () => {
    const thread = createHashThread(script, () => undefined);
    const hash = await thread.hash("quiet-river-stone", 4);
    expect(await Bun.password.verify("quiet-river-stone", hash)).toBe(true);
    const answers = ["quiet-river-stone", "another"].map((password) => thread.verify(password, hash));
    expect(await Promise.all(answers)).toEqual([true, false]);
    const malformed = await thread.verify("x", "$2b$04$short").catch((error: unknown) => String(error));
    expect(malformed).toContain("InvalidEncoding");
    expect(await thread.verify("quiet-river-stone", hash)).toBe(true);
    await thread.close();
  });

  test.if(process.platform === "linux")("gives way to everything else; nothing else of the process does", async () => {
    const thread = createHashThread(script, () => undefined);
    const before = niceOfThreads();
    const usual = before.get(String(process.pid))!.nice;
    await thread.hash("quiet-river-stone", 4);
    const added = [...niceOfThreads()].filter(([id]) => !before.has(id)).map(([, found]) => found);
    expect(added.filter(({ nice }) => nice !== usual)).toEqual([{ name: "hash", nice: usual + 10 }]);
    for (const [id, { nice }] of before) expect(niceOfThreads().get(id)?.nice ?? nice).toBe(nice);
    await thread.close();
    expect([...niceOfThreads().values()].filter(({ name }) => name === "hash")).toEqual([]);
  });
});

describe("its death", () => {
  test("refuses what it had not answered, is told of, and the next hash starts another one", async () => {
    const deaths: string[] = [];
    const thread = createHashThread(mortal, (why) => deaths.push(why));
    const passwords = createPasswords({ cost: 4, hasher: thread });
    expect(await passwords.verify("lives", "hash")).toBe(true);
    const [dead, behind] = ["die", "lives"].map((password) => passwords.verify(password, "hash"));
    const refused = await dead!.catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(AppError);
    expect(refused).toMatchObject({ code: "unavailable", retryAfterMs: 2_000 });
    expect(String((refused as AppError).cause)).toContain("the thread that hashes passwords is gone");
    expect(await behind).toBe(true);
    expect(deaths).toHaveLength(1);
    await thread.close();
    expect(deaths).toHaveLength(1);
  });

  test("a hash without end is refused in time, and so is its thread: the next hash starts another one", async () => {
    const deaths: string[] = [];
    const thread = createHashThread(stubborn, (why) => deaths.push(why), 300);
    const passwords = createPasswords({ cost: 4, hasher: thread });
    const refused = await passwords.verify("hang", "hash").catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "unavailable", retryAfterMs: 2_000 });
    expect(String((refused as AppError).cause)).toContain("no answer within 300 ms");
    expect(deaths).toEqual(["no answer within 300 ms"]);
    // Under load its start alone may take longer.
    const lives = () => passwords.verify("lives", "hash").catch(() => false);
    await eventually(lives, "another thread answers");
    const hanging = thread.verify("hang", "hash").catch((error: unknown) => (error as AppError).code);
    await thread.close();
    expect(await hanging).toBe("unavailable");
    if (process.platform !== "linux") return;
    const left = () => [...niceOfThreads().values()].filter(({ name }) => name === "hash");
    await eventually(() => left().length === 0, "no thread is left");
  });

  test("a script that cannot be loaded refuses every hash", async () => {
    const deaths: string[] = [];
    const thread = createHashThread("file:///nowhere/hash.js", (why) => deaths.push(why));
    for (const attempt of [1, 2]) {
      const refused = await thread.verify("x", "hash").catch((error: unknown) => error);
      expect((refused as AppError).code).toBe("unavailable");
      expect(deaths).toHaveLength(attempt);
    }
    expect(deaths[0]).toContain("hash.js");
    await thread.close();
  });

  test("the end refuses what waits and what comes after", async () => {
    const thread = createHashThread(script, () => undefined);
    const waiting = thread.hash("quiet-river-stone", 10).catch((error: unknown) => (error as AppError).code);
    await thread.close();
    expect(await waiting).toBe("unavailable");
    expect(await thread.hash("x", 4).catch((error: unknown) => (error as AppError).code)).toBe("unavailable");
  });
});
