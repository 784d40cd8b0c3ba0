// A real, throw-away PostgreSQL for tests: one cluster per test process, one fresh database per suite.

import { SQL } from "bun";
import { chownSync, existsSync, mkdtempSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

interface Cluster {
  port: number;
  admin: SQL;
  databases: number;
}

// On globalThis because each test file may get its own copy of this module.
const holder = globalThis as { digitLinkTestCluster?: Promise<Cluster> };

/**
 * Creates an empty database, or a copy of the one at `like` (to which nobody is connected), and returns its URL. The cluster starts at
 * the first call and dies with this process.
 */
export async function freshPostgresUrl(like?: string): Promise<string> {
  holder.digitLinkTestCluster ??= startCluster();
  const cluster = await holder.digitLinkTestCluster;
  const name = `test_${++cluster.databases}`;
  const template = like === undefined ? "" : ` template ${new URL(like).pathname.slice(1)}`;
  await cluster.admin.unsafe(`create database ${name}${template}`);
  return urlOf(cluster.port, name);
}

/** Stops every process of the cluster that this test process started, as a machine that swaps or a broken network would. Returns how to go on. */
export async function pausePostgres(): Promise<() => void> {
  const cluster = await (holder.digitLinkTestCluster ??= startCluster());
  const [row] = await cluster.admin.unsafe("show data_directory");
  const lines = await Bun.file(join(String(row?.data_directory), "postmaster.pid")).text();
  const main = Number(lines.split("\n", 1)[0]);
  // First the one that makes others.
  process.kill(main, "SIGSTOP");
  const others = (await Bun.file(`/proc/${main}/task/${main}/children`).text()).trim().split(" ").map(Number);
  for (const pid of others) process.kill(pid, "SIGSTOP");
  return () => {
    for (const pid of [main, ...others]) process.kill(pid, "SIGCONT");
  };
}

const urlOf = (port: number, database: string): string => `postgres://tester@127.0.0.1:${port}/${database}`;

async function startCluster(): Promise<Cluster> {
  const bin = findBinaries();
  const folder = mkdtempSync(join(tmpdir(), "digit-link-pg-"));
  const user = ownerOf(folder);
  const asUser = user === null ? [] : ["runuser", "-u", user, "--"];
  const data = join(folder, "data");
  await run(
    [...asUser, join(bin, "initdb"), "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
    folder,
  );
  const port = await freePort();
  // The shell ends PostgreSQL and removes its folder as soon as its standard input closes: however this process dies.
  const script = `"$@" >"$FOLDER/log" 2>&1 & pid=$!; cat >/dev/null; kill -QUIT $pid; wait $pid; rm -rf "$FOLDER"`;
  const server = [
    join(bin, "postgres"),
    "-D",
    data,
    "-p",
    String(port),
    "-k",
    folder,
    "-c",
    "listen_addresses=127.0.0.1",
  ];
  const fast = [
    "-c",
    "fsync=off",
    "-c",
    "synchronous_commit=off",
    "-c",
    "full_page_writes=off",
    "-c",
    "max_connections=200",
    // Hundreds of databases that live for seconds: visiting them would be most of what it does.
    "-c",
    "autovacuum=off",
  ];
  const watchdog = Bun.spawn([...asUser, "sh", "-c", script, "sh", ...server, ...fast], {
    cwd: folder,
    env: { ...process.env, FOLDER: folder },
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    detached: true,
  });
  watchdog.unref();
  const admin = await connect(port, join(folder, "log"));
  return { port, admin, databases: 0 };
}

function findBinaries(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  for (const version of versions) {
    const bin = join(root, version, "bin");
    if (existsSync(join(bin, "initdb"))) return bin;
  }
  throw new Error("PostgreSQL is missing: apt-get install -y postgresql");
}

/** PostgreSQL refuses to run as root; the folder then belongs to the package's own user. */
function ownerOf(folder: string): string | null {
  if (process.getuid?.() !== 0) return null;
  const ids = Bun.spawnSync(["id", "-u", "postgres"]);
  const user = ids.exitCode === 0 ? "postgres" : "nobody";
  const uid = Number(Bun.spawnSync(["id", "-u", user]).stdout.toString());
  const gid = Number(Bun.spawnSync(["id", "-g", user]).stdout.toString());
  if (userInfo().uid === uid) return null;
  chownSync(folder, uid, gid);
  return user;
}

async function run(command: string[], cwd: string): Promise<void> {
  const child = Bun.spawn(command, { cwd, stdout: "pipe", stderr: "pipe" });
  const [code, stderr] = await Promise.all([child.exited, child.stderr.text()]);
  if (code !== 0) throw new Error(`${command.join(" ")} failed: ${stderr}`);
}

async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const address = probe.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    probe.close(() => resolve(port));
  });
  return promise;
}

async function connect(port: number, logPath: string): Promise<SQL> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const admin = new SQL(urlOf(port, "postgres"), { max: 1 });
    try {
      await admin.unsafe("select 1");
      return admin;
    } catch (error) {
      await admin.close();
      if (performance.now() > deadline)
        throw new Error(`PostgreSQL did not start; its log: ${await Bun.file(logPath).text()}`, { cause: error });
      await Bun.sleep(50);
    }
  }
}
