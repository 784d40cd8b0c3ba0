// `npm run demo`: a server on localhost with SQLite in ./data, a sample local service, and an agent that serves it.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { isBusy, openSqlite } from "../src/db/sqlite.ts";
import { isBuilt, pages } from "./page-age.ts";
import { start, stop, unlessStopping } from "./demo-processes.ts";
import { startSampleService } from "./demo-service.ts";

const root = join(import.meta.dir, "..");
const data = join(root, "data");
const database = join(data, "digit-link.db");
const startTimeoutMs = 20_000;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(0));
const port = Number(process.env["PORT"] || 8080);
if (!Number.isInteger(port) || port < 1 || port > 65_535)
  await fail(`PORT must be a number from 1 to 65535; "${process.env["PORT"]}" is not.`);
await refuseTakenPort();
try {
  mkdirSync(data, { recursive: true, mode: 0o700 });
} catch (error) {
  await fail(`The data cannot be kept in ${data}: ${messageOf(error)}.`);
}
await refuseDataInUse();
// A digit-link.toml in the checkout is a real server's.
process.chdir(data);
const env = {
  ...process.env,
  ...{ PORT: String(port), HOST: "127.0.0.1", DOMAIN: "localhost", SCHEME: "http" },
  ...{
    DB_PATH: database,
    AGENT_WHITELIST: "127.0.0.0/8,::1",
    LOG_FORMAT: "json",
    LOG_LEVEL: "warn",
  },
  // What a shell may have set for other programs, or for a real server.
  ...{ DATABASE_URL: "", JWT_SECRET: "", ENCRYPTION_KEY: "", TLS_CERT: "", TLS_KEY: "" },
  ...{ PUBLIC_PORT: "", DASHBOARD_DOMAIN: "", LISTEN_FD: "" },
};
await ensurePages();

const { promise: setupUrl, resolve: foundSetupUrl } = Promise.withResolvers<string | null>();
const server = start([join(root, "src/main.ts")], { env, cwd: data, onLine: hearServer });
await until("The server did not start", server, `http://localhost:${port}/ready`);
const token = await unlessStopping(demoToken());
const service = startSampleService();
const { promise: inspectorUrl, resolve: foundInspectorUrl } = Promise.withResolvers<string | null>();
const canInspect = isBuilt(pages.inspector);
if (!canInspect) foundInspectorUrl(null);
const flags = ["--server", `http://localhost:${port}`, "--subdomain", "demo", "-q"];
const agent = start(
  ["cli/main.ts", "http", String(service.port), ...flags, ...(canInspect ? ["--inspect", "0"] : [])],
  { env: { ...env, DIGIT_LINK_TOKEN: token }, onLine: hearAgent },
);
await until("The agent did not connect", agent, `http://demo.localhost:${port}/hello`);
setTimeout(foundSetupUrl, 3_000, null);
const loginHelp = await unlessStopping(setupUrl).then((url) =>
  url === null
    ? "log in with the account that was set up before (data/ remembers it)"
    : `first time: open ${url}\n                and choose the administrator's name, password and second factor`,
);
const inspector = await unlessStopping(inspectorUrl);

console.log(`
  digit-link demo

  Public URL    http://demo.localhost:${port}
  Try           curl http://demo.localhost:${port}/hello
                curl -N http://demo.localhost:${port}/events
  Dashboard     http://localhost:${port}/
                ${loginHelp}${inspector === null ? "" : `\n  Inspector     ${inspector}\n                what is asked for and answered, live, to be sent again`}
  Ctrl-C stops everything. The data stays in ./data.
`);

const first = await unlessStopping(
  Promise.race([server.exited.then(() => "server"), agent.exited.then(() => "agent")]),
);
await fail(`The ${first} ended by itself; its last words are above.`);

async function fail(sentence: string): Promise<never> {
  process.stderr.write(`digit-link demo: ${sentence}\n`);
  return stop(1);
}

async function refuseTakenPort(): Promise<void> {
  try {
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "EADDRINUSE")
      await fail(`Port ${port} is taken by another program. Stop it, or choose another one: PORT=9090 npm run demo`);
    await fail(`Port ${port} cannot be used: ${messageOf(error)}. Choose another one: PORT=9090 npm run demo`);
  }
}

/** One server per database: the token that a second demo makes would end the agent of the first, and so on. */
async function refuseDataInUse(): Promise<void> {
  if (!existsSync(database)) return;
  try {
    const sqlite = openSqlite(database);
    try {
      // Needs the database for itself; the server takes its own mode again.
      sqlite.run("pragma journal_mode = delete", []);
    } finally {
      sqlite.close();
    }
  } catch (error) {
    if (isBusy(error))
      await fail(`The data in ${data} is in use: a demo or server of this folder runs already. Stop it first.`);
    // Whatever else is wrong with it the server says itself.
  }
}

/** The server's log passes through; the set-up URL in it, if any, is caught on the way. */
function hearServer(line: string): void {
  const url = /http\S+\/setup#code=[\w-]+/.exec(line)?.[0];
  if (url !== undefined) foundSetupUrl(url);
  else if (line !== "" && !line.includes("is not set: using the one in")) process.stderr.write(`${line}\n`);
}

/** So do the agent's problems; the inspector's address is caught. */
function hearAgent(line: string): void {
  const url = / inspect +requests are shown at (\S+)$/.exec(line)?.[1];
  if (url !== undefined) foundInspectorUrl(url);
  else process.stderr.write(`${line}\n`);
}

/** Pages are built once, and again when their sources have changed; without them everything else works. */
async function ensurePages(): Promise<void> {
  for (const page of Object.values(pages)) {
    if (isBuilt(page)) continue;
    console.log(`building the ${page.name} …`);
    const build = start(["--bun", "vite", "build", "--logLevel", "error"], { env, cwd: page.folder });
    if ((await unlessStopping(build.exited)) !== 0)
      console.log(`the ${page.name} could not be built; the tunnel works without it`);
  }
}

/** Waits until `url` answers well; the demo ends when `child` does before, or when it takes too long. */
async function until(otherwise: string, child: Bun.Subprocess, url: string): Promise<void> {
  const deadlineMs = performance.now() + startTimeoutMs;
  for (;;) {
    const answered = await unlessStopping(
      fetch(url, { proxy: false }).then(
        (response) => response.ok,
        () => false,
      ),
    );
    if (answered) return;
    if (child.exitCode !== null) await fail(`${otherwise}: it ended with code ${child.exitCode}.`);
    if (performance.now() > deadlineMs) await fail(`${otherwise} within ${startTimeoutMs / 1000} s.`);
    await Bun.sleep(50);
  }
}

/** A fresh token of the ordinary account `demo`, made at the first start. */
async function demoToken(): Promise<string> {
  const [{ openOperator }, { AppError }] = await Promise.all([
    import("../src/admin.ts"),
    import("../src/lib/errors.ts"),
  ]);
  await using operator = await openOperator(env);
  try {
    return (await operator.createAccount("demo")).token;
  } catch (error) {
    if (!(error instanceof AppError && error.code === "conflict")) throw error;
    return (await operator.changeToken("demo")).token;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, "") : String(error);
}
