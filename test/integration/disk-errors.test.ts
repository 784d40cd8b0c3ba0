// A disk that is full or fails: changes are refused cleanly, tunnels go on, and everything works again without a restart.

import { Database as SqliteFile } from "bun:sqlite";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createDatabase } from "../../src/db/database.ts";
import { verifyDatabase } from "../../src/operator/audit-verdict.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { canMount, canTrace, failOn, mountTinyDisk } from "../helpers/tiny-disk.ts";
import { beginTunnel, openTunnel } from "../helpers/tunnel-agent.ts";
import { keepVisiting, serviceOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(120_000);

const databaseOf = (folder: string): string => join(folder, "digit-link.db");

/** Breaks the disk between two healthy times; `breakIt` returns how to mend it. Meanwhile lists answer with `reads`, and the log says `reason`. */
async function expectSurvival(
  server: ServerProcess,
  reads: 200 | 503,
  reason: RegExp,
  breakIt: () => Promise<() => Promise<void>>,
): Promise<void> {
  const api = adminApi(server);
  const create = (name: string) => api.call("POST", "/admin/organizations", { name });
  const [done, refused] = [["before"], [] as string[]];
  await using service = startTaggedService("unaffected");
  const agentOptions = { ...server, port: service.port };
  await using agent = await openTunnel({ ...agentOptions, name: "unaffected" });
  await agent.until("session");
  expect((await create("before")).status).toBe(201);
  const visitors = Array.from({ length: 3 }, () => keepVisiting(server.port, "unaffected"));

  const mend = await breakIt();
  for (let i = 0; i < 20 || refused.length < 10; i++) {
    const { status, body } = await create(`while broken ${i}`);
    // A page that was free already takes one more.
    if (status === 201) done.push(`while broken ${i}`);
    else {
      refused.push(`while broken ${i}`);
      const { code, message } = body["error"] as { code: string; message: string };
      expect({ status, code, message }).toEqual({
        status: 503,
        code: expect.stringMatching(/^(unavailable|audit_unavailable)$/),
        message: expect.stringMatching(/so nothing was changed\. Try again later\.$/),
      });
    }
  }
  expect((await api.call("GET", "/admin/organizations")).status).toBe(reads);
  await using newcomer = beginTunnel({ ...agentOptions, name: "newcomer" });
  expect((await newcomer.until("tunnel.retry")).reason).toContain("so nothing was changed");
  const seen = agent.all("session").length + agent.all("tunnel.lost").length;
  const before = visitors.map(({ counts }) => counts["200"] ?? 0);
  await eventually(() => visitors.every(({ counts }, i) => counts["200"]! >= before[i]! + 20), "visitors are served");
  await mend();

  await eventually(async () => (await create("after")).status === 201, "changes are made again");
  done.push("after");
  await newcomer.until("tunnel.ready", 1, 40_000);
  expect(serviceOf(await visit(server.port, "newcomer", "/"))).toBe("unaffected");
  for (const visitor of visitors) expect(Object.keys(await visitor.stop())).toEqual(["200"]);
  expect(agent.all("session").length + agent.all("tunnel.lost").length).toBe(seen);
  await expectWhole(databaseOf(server.folder), done);
  const events = server.log.filter(({ message }) => message === "the database failed a request");
  expect(events.length).toBeGreaterThanOrEqual(refused.length);
  expect(String(events[0]?.["error"])).toMatch(reason);
}

/** The organizations are `names` and no others, each with its audit row; nothing is damaged. */
async function expectWhole(path: string, names: string[]): Promise<void> {
  {
    using file = new SqliteFile(path);
    expect(file.query("pragma integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    const rows = file.query("select name from organizations").all() as { name: string }[];
    expect(rows.map(({ name }) => name).sort()).toEqual(names.toSorted());
    const audited = "select count(*) as count from audit_log where action = 'organization.created'";
    expect(file.query(audited).get()).toEqual({ count: names.length });
  }
  const db = await createDatabase({ url: null, path, pollMs: 1_000, onError: (error) => expect(error).toBeNull() });
  expect(await verifyDatabase(db)).toMatchObject({ intact: true });
  await db.close();
}

describe("security", () => {
  test.concurrent.skipIf(!canMount)(
    "a full disk: changes are refused and leave nothing, tunnels go on, and space is all that it takes",
    async () => {
      using disk = mountTinyDisk(8);
      const [port = 0] = await freePorts(1);
      await using server = await startServerProcess({ shards: 2, again: { port, folder: disk.folder } });
      await expectSurvival(server, 200, /database or disk is full$/, async () => {
        disk.fill();
        return async () => disk.empty();
      });
    },
  );

  test.concurrent.skipIf(!canTrace).each([
    ["pwrite64", 200, /disk I\/O error$/],
    // Whichever fails first: SQLite tells a read that fails as damage.
    ["pwrite64,pread64,fsync,fdatasync", 503, /disk I\/O error$|its file is damaged, or a read of it failed/],
  ] as const)("input/output errors of %s: the same", async (calls, reads, reason) => {
    await using server = await startServerProcess({ shards: 2 });
    await expectSurvival(server, reads, reason, async () => {
      const failing = await failOn(server.pid, `${databaseOf(server.folder)}-wal`, calls, "EIO");
      return async () => failing[Symbol.asyncDispose]();
    });
  });
});
