// A tunnel whose agent is inspected, and a browser for the inspector's page.

import { type Inspector, startInspector } from "../../cli/inspector/inspector.ts";
import { builtInspector } from "../helpers/built-pages.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { type Browser, startBrowser } from "./browser.ts";

export interface Inspected extends AsyncDisposable {
  browser: Browser;
  server: ServerProcess;
  inspector: Inspector;
}

/** Opens the tunnel `name` to a local service on `port`. The caller disposes of it. */
export async function startInspected(name: string, port: number): Promise<Inspected> {
  builtInspector();
  await using stack = new AsyncDisposableStack();
  const [browser, server] = await Promise.all([startBrowser(), startServerProcess({ shards: 1 })]);
  stack.use(browser);
  stack.use(server);
  const inspector = startInspector(0);
  stack.defer(() => inspector.stop());
  stack.use(await openTunnel({ ...server, port, name, recorder: inspector.recorder }));
  const all = stack.move();
  return { browser, server, inspector, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
