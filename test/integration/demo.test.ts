// `npm run demo`, without npm: it works in odd shells, says in one sentence why it can't, and leaves nothing running, however it ends.

import { createHash } from "node:crypto";
import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { eventually } from "../helpers/eventually.ts";
import { builtInspector } from "../helpers/built-pages.ts";
import { freePorts } from "../helpers/free-ports.ts";

const checkout = join(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "digit-link-demo-"));
builtInspector();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A checkout whose `data` is its own, and whose pages count as built. */
function project(name: string): string {
  const root = join(folder, name);
  for (const page of ["dashboard", "dashboard/inspector"]) {
    mkdirSync(join(root, page, "dist"), { recursive: true });
    writeFileSync(join(root, page, "dist/index.html"), "");
  }
  cpSync(join(checkout, "scripts"), join(root, "scripts"), { recursive: true });
  for (const part of ["src", "cli", "workers", "node_modules", "package.json"])
    symlinkSync(join(checkout, part), join(root, part));
  return root;
}

/** Gives it packages that count as installed for this Bun, as scripts/with-bun.mjs looks for them. */
function madeForThisBun(root: string): void {
  const modules = join(root, "node_modules");
  unlinkSync(modules);
  mkdirSync(modules);
  for (const name of readdirSync(join(checkout, "node_modules")))
    if (name !== ".made-for") symlinkSync(join(checkout, "node_modules", name), join(modules, name));
  cpSync(join(checkout, "bun.lock"), join(root, "bun.lock"));
  const hash = createHash("sha256").update(Bun.version);
  for (const file of ["package.json", "bun.lock"]) hash.update(readFileSync(join(checkout, file)));
  writeFileSync(join(modules, ".made-for"), hash.digest("hex"));
}

function startDemo(root: string, env: Record<string, string>) {
  const child = Bun.spawn([process.execPath, join(root, "scripts/demo.ts")], {
    cwd: root,
    env: { PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { out: "", problems: "" };
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, key: keyof typeof output) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) output[key] += text;
  };
  const ended = Promise.all([child.exited, read(child.stdout, "out"), read(child.stderr, "problems")]);
  return {
    child,
    output,
    exitCode: async () => (await ended)[0],
    ready: () => eventually(() => output.out.includes("Ctrl-C"), "the demo runs", 30_000),
  };
}

/** Command lines of the processes that work in `root`, from the kernel's own list. */
function processesIn(root: string): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
      return environment.includes(`DB_PATH=${root}/`)
        ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")]
        : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/** What the inspector has seen at the address that the demo says. */
async function inspected(out: string): Promise<string> {
  const { origin, hash } = new URL(/Inspector +(\S+)/.exec(out)![1]!);
  return (await fetch(`${origin}/api/exchanges`, { headers: { Authorization: `Bearer ${hash.slice(1)}` } })).text();
}

const nothingRuns = (root: string) =>
  eventually(() => processesIn(root).length === 0, "every process of the demo has ended", 10_000);

/** Whose the tunnels are, from the database. */
function servedBy(root: string): unknown[] {
  using database = new Database(join(root, "data/digit-link.db"), { readonly: true });
  const columns = "leases.name, username, is_admin, is_org_admin, accounts.org_id";
  return database.query(`select ${columns} from leases left join accounts on accounts.id = account_id`).all();
}

/** Runs what the demo says that one can try, in a shell, as printed. */
async function triedAsPrinted(out: string, port: number): Promise<void> {
  const lines = out.match(/curl .*$/gm) ?? [];
  expect(lines).toEqual([`curl http://demo.localhost:${port}/hello`, `curl -N http://demo.localhost:${port}/events`]);
  const shell = (line: string) =>
    Bun.spawn(["sh", "-c", `exec ${line}`], {
      env: { PATH: process.env.PATH ?? "" },
      stdio: ["ignore", "pipe", "ignore"],
    });
  const once = shell(lines[0]!);
  expect(JSON.parse(await once.stdout.text())).toMatchObject({ hello: "from your laptop" });
  expect(await once.exited).toBe(0);
  const stream = shell(lines[1]!);
  let heard = "";
  for await (const text of stream.stdout.pipeThrough(new TextDecoderStream())) {
    heard += text;
    if (heard.includes("data: event 2 at ")) break;
  }
  expect(heard).toStartWith("data: event 1 at ");
  stream.kill();
  await stream.exited;
}

const hello = async (port: number) =>
  (await fetch(`http://127.0.0.1:${port}/hello`, { headers: { host: `demo.localhost:${port}` } })).text();

test("runs beside a real server's settings, and in a shell with some for other programs; an ordinary account; a kill and a restart; Ctrl-C leaves nothing", async () => {
  const root = project("whole");
  writeFileSync(join(root, "digit-link.toml"), 'database_url = "postgres://nobody@127.0.0.1:1/real"\n');
  const [port = 0] = await freePorts(1);
  const odd = {
    DATABASE_URL: "postgres://nobody@127.0.0.1:1/other",
    HTTP_PROXY: "http://127.0.0.1:1",
    JWT_SECRET: "x",
  };
  const killed = startDemo(root, { PORT: String(port), ...odd });
  await killed.ready();
  expect(killed.output.out).toContain(`http://demo.localhost:${port}`);
  expect(killed.output.out).toContain("first time: open http://localhost");
  await triedAsPrinted(killed.output.out, port);
  expect(await inspected(killed.output.out)).toContain('"path":"/events"');
  expect(servedBy(root)).toEqual([{ name: "demo", username: "demo", is_admin: 0, is_org_admin: 0, org_id: null }]);
  for (const name of readdirSync(join(root, "data")))
    expect([name, statSync(join(root, "data", name)).mode & 0o077]).toEqual([name, 0]);
  killed.child.kill("SIGKILL");
  await nothingRuns(root);

  const again = startDemo(root, { PORT: String(port) });
  await again.ready();
  expect(await hello(port)).toContain("from your laptop");
  again.child.kill("SIGINT");
  expect(await again.exitCode()).toBe(0);
  expect(again.output.problems).toBe("");
  await nothingRuns(root);
}, 90_000);

test("npm run demo on a terminal: Ctrl-C ends all of it before npm ends, with exit code 0", async () => {
  const root = project("npm");
  madeForThisBun(root);
  const [port = 0] = await freePorts(1);
  let screen = "";
  const child = Bun.spawn(["npm", "run", "demo"], {
    cwd: root,
    env: {
      ...{ PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ""}`, HOME: root, TERM: "xterm" },
      ...{ PORT: String(port), npm_config_update_notifier: "false" },
    },
    terminal: { cols: 100, rows: 30, data: (_terminal, data) => void (screen += new TextDecoder().decode(data)) },
  });
  await eventually(() => screen.includes("Ctrl-C"), "the demo runs", 30_000);
  child.terminal!.write("\u0003");
  expect(await child.exited).toBe(0);
  expect(processesIn(root)).toEqual([]);
  expect(screen).not.toMatch(/npm error|ELIFECYCLE/);
  // At once, without a wait.
  const again = startDemo(root, { PORT: String(port) });
  await again.ready();
  again.child.kill("SIGINT");
  expect(await again.exitCode()).toBe(0);
  await nothingRuns(root);
}, 90_000);

test("a dashboard that is older than its sources is built again", async () => {
  const root = project("old");
  const [port = 0] = await freePorts(1);
  mkdirSync(join(root, "dashboard/src"));
  writeFileSync(join(root, "dashboard/src/main.tsx"), "");
  utimesSync(join(root, "dashboard/dist/index.html"), 1, 1);
  const demo = startDemo(root, { PORT: String(port) });
  await eventually(() => demo.output.out.includes("building the dashboard"), "it is built", 30_000);
  demo.child.kill("SIGINT");
  expect(await demo.exitCode()).toBe(0);
  await nothingRuns(root);
}, 60_000);

describe("a signal at any moment ends all of it, with exit code 0", () => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s",
    async (signal) => {
      const root = project(signal);
      const [port = 0] = await freePorts(1);
      const moments: [string, () => boolean | Promise<boolean>][] = [
        ["the server was just started", () => processesIn(root).some((line) => line.includes("src/main.ts"))],
        [
          "the server answers",
          () =>
            fetch(`http://127.0.0.1:${port}/live`).then(
              ({ ok }) => ok,
              () => false,
            ),
        ],
        ["the agent was just started", () => processesIn(root).some((line) => line.includes("cli/main.ts"))],
      ];
      for (const [moment, come] of moments) {
        const demo = startDemo(root, { PORT: String(port) });
        await eventually(come, moment, 30_000);
        demo.child.kill(signal);
        expect([moment, await demo.exitCode(), demo.output]).toEqual([moment, 0, { out: "", problems: "" }]);
        await nothingRuns(root);
      }
    },
    90_000,
  );
});

describe("one sentence, and exit code 1", () => {
  const refusal = async (root: string, env: Record<string, string>) => {
    const demo = startDemo(root, env);
    const exitCode = await demo.exitCode();
    expect([exitCode, demo.output.out]).toEqual([1, ""]);
    await nothingRuns(root);
    return demo.output.problems;
  };

  test("the port is taken", async () => {
    using other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const sentence = `digit-link demo: Port ${other.port} is taken by another program. Stop it, or choose another one: PORT=9090 npm run demo\n`;
    expect(await refusal(project("taken"), { PORT: String(other.port) })).toBe(sentence);
  });

  test("another one runs in the same folder", async () => {
    const root = project("twice");
    const [port = 0, otherPort = 0] = await freePorts(2);
    const first = startDemo(root, { PORT: String(port) });
    await first.ready();
    const second = startDemo(root, { PORT: String(otherPort) });
    expect([await second.exitCode(), second.output.problems]).toEqual([
      1,
      `digit-link demo: The data in ${join(root, "data")} is in use: a demo or server of this folder runs already. Stop it first.\n`,
    ]);
    expect(await hello(port)).toContain("from your laptop");
    expect(first.output.problems).toBe("");
    first.child.kill("SIGINT");
    expect(await first.exitCode()).toBe(0);
  });

  test("PORT is no port", async () => {
    for (const value of ["abc", "0", "70000", "80.5"])
      expect(await refusal(project(`port-${value}`), { PORT: value })).toBe(
        `digit-link demo: PORT must be a number from 1 to 65535; "${value}" is not.\n`,
      );
  });

  test("the data cannot be kept", async () => {
    const root = project("no-data");
    const [port = 0] = await freePorts(1);
    writeFileSync(join(root, "data"), "");
    expect(await refusal(root, { PORT: String(port) })).toMatch(
      /^digit-link demo: The data cannot be kept in .+: .+\.\n$/,
    );
  });
});
