// What the control plane costs the tunnels: visitors with a credential against visitors of an open name, and a storm of logins.

import { join } from "node:path";
import { runPaced } from "./load/paced.ts";
import { runWrk } from "./load/wrk.ts";
import { median } from "./measure/statistics.ts";
import { startServer, type StartedServer } from "./parties/digit-link.ts";
import type { Endpoint, PartyContext } from "./parties/party.ts";
import { waitForPort } from "./ports.ts";
import type { ControlPlaneFigures, LoginFigures, PolicyFigures } from "./report.ts";

const agentEntry = join(import.meta.dir, "../cli/main.ts");
const password = "bench-quiet-river-stone";
const visitorConnections = 64;
const loginsPerSecond = 50;
/** Their passwords are right, so that no limiter spares the server a hash. */
const loginAccounts = 12;

export interface ControlPlaneLoad {
  seconds: number;
  rounds: number;
  policy: boolean;
  logins: boolean;
  signal: AbortSignal;
  say(line: string): void;
}

/** Measures what was asked for, each on a server of its own. */
export async function measureControlPlane(context: PartyContext, load: ControlPlaneLoad): Promise<ControlPlaneFigures> {
  const policies = load.policy
    ? await onServer(context, "policy", {}, (at) => measurePolicies(context, at, load))
    : null;
  // So that each login may come from an address of its own, and no limit of one address spares the server any.
  const proxied = { TRUSTED_PROXIES: "127.0.0.0/8" };
  const logins = load.logins
    ? await onServer(context, "logins", proxied, (at) => measureLogins(context, at, load))
    : null;
  return { policies, logins };
}

async function onServer<T>(
  context: PartyContext,
  label: string,
  environment: Record<string, string>,
  work: (server: StartedServer) => Promise<T>,
): Promise<T> {
  const server = startServer(context, label, environment);
  try {
    await waitForPort("127.0.0.1", server.port, server.process);
    return await work(server);
  } finally {
    await server.process.stop();
  }
}

async function measurePolicies(
  context: PartyContext,
  server: StartedServer,
  load: ControlPlaneLoad,
): Promise<PolicyFigures> {
  const admin = adminOf(server);
  const orgId = await admin("/admin/organizations", { name: "bench" }, "organization");
  const basic = { authType: "basic", basicUsername: "ada", basicPassword: password };
  const kinds: Record<string, object | null> = { none: null, basic, api_key: { authType: "api_key" }, session: basic };
  const key = await created(server, "/admin/api-keys", { orgId, description: "bench", scope: "both" });
  const rawKey = key["rawKey"] as string;
  const headers: Record<string, string[]> = {
    none: [],
    basic: [`Authorization: Basic ${btoa(`ada:${password}`)}`],
    api_key: [`X-API-Key: ${rawKey}`],
    session: [],
  };
  const endpoints: Record<string, Endpoint> = {};
  for (const [kind, policy] of Object.entries(kinds)) {
    const name = `bench-${kind.replace("_", "-")}`;
    const authMode = policy === null ? "disabled" : "custom";
    const appId = await admin("/admin/applications", { orgId, subdomain: name, name, authMode }, "application");
    if (policy !== null) await send(server, "PUT", `/admin/applications/${appId}/policy`, policy);
    await serve(context, server, name, rawKey);
    endpoints[kind] = endpointOf(server, name);
  }
  headers["session"] = [`Cookie: ${await logInAtForm(endpoints["session"]!)}`];
  for (const [kind, endpoint] of Object.entries(endpoints))
    await untilServed(endpoint, headers[kind] ?? [], load.signal);

  const rates: Record<string, number[]> = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
  let errors = 0;
  const names = Object.keys(kinds);
  for (let round = 0; round <= load.rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      load.signal.throwIfAborted();
      const kind = names[(turn + round) % names.length]!;
      const { signal } = load;
      const run = { connections: visitorConnections, seconds: load.seconds, headers: headers[kind] ?? [], signal };
      const result = await runWrk(endpoints[kind]!, run);
      // The first round warms up.
      if (round === 0) continue;
      errors += result.errors;
      rates[kind]!.push(result.requests / (result.durationUs / 1e6));
    }
  }
  const shareOf = (kind: string): number => median(rates[kind]!.map((rate, round) => rate / rates["none"]![round]!));
  return {
    perSecond: Object.fromEntries(names.map((kind) => [kind, median(rates[kind]!)])),
    shareOfNone: Object.fromEntries(names.filter((kind) => kind !== "none").map((kind) => [kind, shareOf(kind)])),
    errors,
  };
}

async function measureLogins(
  context: PartyContext,
  server: StartedServer,
  load: ControlPlaneLoad,
): Promise<LoginFigures> {
  for (let i = 0; i < loginAccounts; i++) {
    await send(server, "POST", "/admin/accounts", { username: `login-${i}`, password });
  }
  await serve(context, server, "quiet", server.adminToken);
  const endpoint = endpointOf(server, "quiet");
  await untilServed(endpoint, [], load.signal);
  const seconds = Math.max(2, load.seconds);
  await runPaced(endpoint, 1);
  const quiet: number[] = [];
  const storm: number[] = [];
  const answers: Record<string, number> = {};
  let errors = 0;
  for (let round = 0; round < load.rounds; round++) {
    load.signal.throwIfAborted();
    const before = await runPaced(endpoint, seconds);
    const stop = offerLogins(server, answers);
    const during = await runPaced(endpoint, seconds);
    await stop();
    quiet.push(before.p99Us);
    storm.push(during.p99Us);
    errors += before.errors + during.errors;
  }
  return {
    quietP99Us: median(quiet),
    stormP99Us: median(storm),
    ratio: median(storm.map((p99, round) => p99 / quiet[round]!)),
    answers,
    errors,
  };
}

/** Begins logins at fixed times; the function returned stops, and resolves when the last is answered. */
function offerLogins(server: StartedServer, answers: Record<string, number>): () => Promise<void> {
  const running: Promise<void>[] = [];
  let next = 0;
  const timer = setInterval(() => {
    const number = next++;
    const body = { username: `login-${number % loginAccounts}`, password };
    const address = `10.1.${(number >> 8) & 255}.${number & 255}`;
    running.push(
      call(server, "POST", "/auth/login", body, { "x-forwarded-for": address }).then(
        ({ status }) => void (answers[status] = (answers[status] ?? 0) + 1),
        () => void (answers["broken"] = (answers["broken"] ?? 0) + 1),
      ),
    );
  }, 1_000 / loginsPerSecond);
  return async () => {
    clearInterval(timer);
    await Promise.all(running);
  };
}

function endpointOf(server: StartedServer, name: string): Endpoint {
  return { address: "127.0.0.1", port: server.port, hostHeaders: [`${name}.localhost:${server.port}`] };
}

async function serve(context: PartyContext, server: StartedServer, name: string, token: string): Promise<void> {
  const where = ["--server", `http://localhost:${server.port}`, "--subdomain", name, "--token", token, "--quiet"];
  context.processes.start(`agent-${name}`, [
    process.execPath,
    agentEntry,
    "http",
    String(context.servicePort),
    ...where,
  ]);
}

async function untilServed(endpoint: Endpoint, headers: readonly string[], signal: AbortSignal): Promise<void> {
  const [url, host] = [`http://${endpoint.address}:${endpoint.port}/`, endpoint.hostHeaders[0]];
  const fields = Object.fromEntries(headers.map((line) => line.split(": ", 2) as [string, string]));
  for (const deadline = performance.now() + 20_000; performance.now() < deadline; await Bun.sleep(50)) {
    signal.throwIfAborted();
    const response = await fetch(url, { headers: { ...fields, host }, redirect: "manual" });
    if (response.status === 200 && (await response.text()).length === 1_024) return;
  }
  throw new Error(`${host} was not served in time.`);
}

/** A visitor's session by the form of a basic policy; visitors of an identity provider have such a session too. */
async function logInAtForm(endpoint: Endpoint): Promise<string> {
  const host = endpoint.hostHeaders[0];
  const url = `http://${endpoint.address}:${endpoint.port}/__auth/basic`;
  for (const deadline = performance.now() + 20_000; performance.now() < deadline; await Bun.sleep(50)) {
    const response = await fetch(url, {
      method: "POST",
      redirect: "manual",
      headers: { host, origin: `http://${host}`, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ username: "ada", password }).toString(),
    });
    const cookie = response.headers.getSetCookie()[0]?.split(";", 1)[0];
    if (cookie !== undefined) return cookie;
  }
  throw new Error(`Nobody could log in at ${host}.`);
}

interface ApiAnswer {
  status: number;
  body: Record<string, unknown>;
}

async function call(
  server: StartedServer,
  method: string,
  path: string,
  body: object,
  headers: Record<string, string>,
): Promise<ApiAnswer> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    headers: { host: "localhost", "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function send(
  server: StartedServer,
  method: string,
  path: string,
  body: object,
): Promise<Record<string, unknown>> {
  const answer = await call(server, method, path, body, { "x-admin-token": server.adminToken });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const created = (server: StartedServer, path: string, body: object) => send(server, "POST", path, body);

/** Makes a thing and answers its id. */
function adminOf(server: StartedServer) {
  return async (path: string, body: object, kind: string): Promise<string> =>
    ((await created(server, path, body))[kind] as { id: string }).id;
}
