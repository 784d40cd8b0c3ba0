// `npm run demo`: a server on localhost with SQLite in ./data, a sample local service, and an agent that serves it.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startSampleService } from "./demo-service.ts";

const root = join(import.meta.dir, "..");
const port = Number(process.env["PORT"] ?? 8080);
const bun = process.execPath;
const children: Bun.Subprocess[] = [];
let stoppingSinceMs: number | null = null;

function fail(sentence: string): never {
  process.stderr.write(`digit-link demo: ${sentence}\n`);
  process.exit(1);
}

if (!Number.isInteger(port) || port < 1 || port > 65_535)
  fail(`PORT must be a number from 1 to 65535; ${process.env["PORT"]} is not.`);
if (await isTaken(port))
  fail(`Port ${port} is taken by another program. Stop it, or choose another one: PORT=9090 npm run demo`);

const data = join(root, "data");
mkdirSync(data, { recursive: true, mode: 0o700 });
await ensureDashboard();
const env = {
  ...process.env,
  ...{
    PORT: String(port),
    DOMAIN: "localhost",
    SCHEME: "http",
    DB_PATH: join(data, "digit-link.db"),
    AGENT_WHITELIST: "127.0.0.0/8,::1",
  },
  ...{ LOG_FORMAT: "json", LOG_LEVEL: "warn", HOST: "127.0.0.1" },
};
// The server opens the database first: the demo's own account is made in it once it is there.
const server = start(["src/main.ts"], env, "pipe");
const setupUrl = watchForSetup(server);
await untilUp();
const token = await demoToken();
const service = startSampleService();
const agent = start(
  [
    "cli/main.ts",
    "http",
    String(service.port),
    "--server",
    `http://localhost:${port}`,
    "--subdomain",
    "demo",
    "--quiet",
  ],
  {
    ...env,
    DIGIT_LINK_TOKEN: token,
  },
);
await untilServed();

console.log(`
  digit-link demo

  Public URL    http://demo.localhost:${port}
  Try           curl http://demo.localhost:${port}/hello
                curl -N http://demo.localhost:${port}/events
  Dashboard     http://localhost:${port}/
${loginHelp(await setupUrl)}
  Ctrl-C stops everything. The data stays in ./data.
`);

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void stop(0));
const first = await Promise.race([server.exited.then(() => "server"), agent.exited.then(() => "agent")]);
if (!stopping()) {
  process.stderr.write(`digit-link demo: The ${first} ended by itself; its last words are above.\n`);
  await stop(1);
}

function start(
  args: string[],
  environment: Record<string, string | undefined>,
  stderr: "inherit" | "pipe" = "inherit",
): Bun.Subprocess<"ignore", "inherit", "inherit" | "pipe"> {
  // A group of their own: Ctrl-C reaches this script alone, which stops them in order.
  const child = Bun.spawn([bun, ...args], {
    cwd: root,
    env: environment,
    stdio: ["ignore", "inherit", stderr],
    detached: true,
  });
  children.push(child);
  return child;
}

function stopping(): boolean {
  return stoppingSinceMs !== null;
}

async function stop(exitCode: number): Promise<void> {
  const nowMs = performance.now();
  if (stoppingSinceMs !== null) {
    // Who signals the whole group and hands the signal on as well means it once.
    if (nowMs - stoppingSinceMs < 500) return;
    for (const child of children) child.kill("SIGKILL");
    process.exit(1);
  }
  stoppingSinceMs = nowMs;
  for (const child of children.toReversed()) {
    child.kill("SIGTERM");
    await Promise.race([child.exited, Bun.sleep(5_000)]);
    child.kill("SIGKILL");
  }
  process.exit(exitCode);
}

/** The server's log passes through; the set-up URL in it, if any, is caught on the way. */
async function watchForSetup(child: Bun.Subprocess<"ignore", "inherit", "inherit" | "pipe">): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  void (async () => {
    if (!(child.stderr instanceof ReadableStream)) return;
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      for (const line of chunk.split("\n").filter((one) => one !== "")) {
        const url = /http\S+\/setup#code=[\w-]+/.exec(line)?.[0];
        if (url !== undefined) resolve(url);
        else if (!line.includes("is not set: using the one in")) process.stderr.write(`${line}\n`);
      }
    }
  })();
  const timer = setTimeout(() => resolve(null), 3_000);
  const found = await promise;
  clearTimeout(timer);
  return found;
}

function loginHelp(url: string | null): string {
  if (url === null) return "                log in with the account that was set up before (data/ remembers it)";
  return `                first time: open ${url}\n                and choose the administrator's name, password and second factor`;
}

async function isTaken(wanted: number): Promise<boolean> {
  try {
    Bun.listen({ hostname: "127.0.0.1", port: wanted, socket: { data() {} } }).stop(true);
    return false;
  } catch {
    return true;
  }
}

/** The dashboard is built once; without it everything else works. */
async function ensureDashboard(): Promise<void> {
  if (await Bun.file(join(root, "dashboard/dist/index.html")).exists()) return;
  console.log("building the dashboard …");
  const built = Bun.spawnSync([bun, "--bun", "vite", "build", "--logLevel", "error"], {
    cwd: join(root, "dashboard"),
    stdout: "inherit",
    stderr: "inherit",
  });
  if (built.exitCode !== 0) console.log("the dashboard could not be built; the tunnel works without it");
}

async function untilUp(): Promise<void> {
  await until(async () => (await fetch(`http://localhost:${port}/ready`)).ok, "The server did not start");
}

async function untilServed(): Promise<void> {
  await until(async () => (await fetch(`http://demo.localhost:${port}/hello`)).ok, "The agent did not connect");
}

async function until(fact: () => Promise<boolean>, otherwise: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    if (server.exitCode !== null) fail(`${otherwise}: it ended with code ${server.exitCode}.`);
    if (await fact().catch(() => false)) return;
    await Bun.sleep(50);
  }
  process.stderr.write(`digit-link demo: ${otherwise} within 20 s.\n`);
  await stop(1);
}

/** An ordinary account `demo`; its token is kept in ./data, because the database knows only its hash. */
async function demoToken(): Promise<string> {
  const path = join(data, "demo-token");
  const kept = Bun.file(path);
  if (await kept.exists()) return (await kept.text()).trim();
  const { openOperator } = await import("../src/admin.ts");
  await using operator = await openOperator(env);
  const created = await operator.createAccount("demo");
  await Bun.write(path, `${created.token}\n`, { mode: 0o600 });
  return created.token;
}
