// Contract: a real PostgreSQL behind a TCP tunnel: queries, a large COPY both ways, parallel connections, cancelling.

import { expect, test } from "bun:test";
import { SQL } from "bun";
import pg from "pg";
import { eventually } from "../helpers/eventually.ts";
import { freshPostgresUrl } from "../helpers/postgres.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { describeApplication } from "../helpers/services.ts";

let direct: URL;

/** A database of its own for each setup. */
async function localPort(): Promise<number> {
  direct = new URL(await freshPostgresUrl());
  return Number(direct.port);
}

const tcpPorts = await freePorts(1);

describeApplication({ name: "postgres", localPort, tcpPorts }, (application) => {
  /** The database by way of the tunnel. */
  function through(): string {
    const url = new URL(direct);
    url.port = new URL(application().url).port;
    return url.href;
  }

  test("queries, transactions, parameters and errors through npm's pg", async () => {
    const client = new pg.Client({ connectionString: through() });
    await client.connect();
    await client.query("create table words (id int primary key, word text)");
    await client.query("begin");
    for (let i = 0; i < 100; i++) await client.query("insert into words values ($1, $2)", [i, `wörd ${i}`]);
    await client.query("commit");
    const { rows } = await client.query("select word from words where id = $1", [42]);
    expect(rows).toEqual([{ word: "wörd 42" }]);
    await expect(client.query("select nothing")).rejects.toThrow('column "nothing" does not exist');
    await client.end();
  });

  test("COPY of 16 MB in and out with psql gives the same bytes", async () => {
    const lines: string[] = [];
    for (let i = 0; i < 200_000; i++) lines.push(`${i}\t${"0123456789abcdef".repeat(4)}${i}`);
    const text = `${lines.join("\n")}\n`;
    await psql(through(), ["-c", "create table copied (id int, text text)"]);
    await psql(through(), ["-c", "\\copy copied from stdin"], text);
    const out = await psql(through(), ["-c", "\\copy (select * from copied order by id) to stdout"]);
    expect(out.length).toBe(text.length);
    expect(out === text).toBe(true);
  }, 30_000);

  test("20 connections at once, each with answers of its own", async () => {
    const clients = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const client = new pg.Client({ connectionString: through() });
        await client.connect();
        return client;
      }),
    );
    const sums = await Promise.all(
      clients.map(async (client, i) => {
        const { rows } = await client.query("select $1::int as me, repeat(chr(97 + $1::int), 300000) as text", [i]);
        return (rows as { me: number; text: string }[])[0]!;
      }),
    );
    for (const [i, { me, text }] of sums.entries()) {
      expect(me).toBe(i);
      expect(text === String.fromCharCode(97 + i).repeat(300_000)).toBe(true);
    }
    await Promise.all(clients.map((client) => client.end()));
    // A client that leaves is gone at the database as well.
    const admin = new SQL(direct.href, { max: 1 });
    const others = "select count(*)::int as n from pg_stat_activity where datname = current_database()";
    await eventually(async () => (await admin.unsafe(others))[0].n === 1, "the database has lost the clients");
    await admin.close();
  });

  test("a client that dies in the middle of a query frees its connection", async () => {
    const admin = new SQL(direct.href, { max: 1 });
    const client = new pg.Client({ connectionString: through() });
    client.on("error", () => {});
    await client.connect();
    const { rows } = await client.query("select pg_backend_pid() as pid");
    const pid = (rows as { pid: number }[])[0]!.pid;
    client.query("select generate_series(1, 100000000)").catch(() => {});
    await eventually(async () => (await activity(admin, pid)) === "active", "the query runs");
    client.connection.stream.destroy();
    await eventually(async () => (await activity(admin, pid)) === null, "the query is over");
    await admin.close();
  });
});

async function activity(admin: SQL, pid: number): Promise<string | null> {
  const rows = (await admin`select state from pg_stat_activity where pid = ${pid}`) as { state: string }[];
  return rows[0]?.state ?? null;
}

async function psql(url: string, words: string[], input = ""): Promise<string> {
  const child = Bun.spawn(["psql", "--no-psqlrc", "--quiet", url, ...words], {
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  if (code !== 0) throw new Error(`psql failed: ${err}`);
  return out;
}
