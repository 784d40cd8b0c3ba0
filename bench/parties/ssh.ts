// Peer: OpenSSH remote forwarding (`ssh -R`) through an sshd of our own, with keys made for the run.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, waitForAnswer, waitForPort } from "../ports.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

export const ssh: Party = {
  name: "ssh -R",
  kind: "peer",
  about: "OpenSSH remote forwarding",
  unavailable: () =>
    findProgram("sshd") === null || findProgram("ssh") === null
      ? "OpenSSH is not installed: apt-get install openssh-server openssh-client"
      : null,
  async start({ servicePort, processes }) {
    const { directory } = processes;
    const hostKey = join(directory, "ssh-host-key");
    const userKey = join(directory, "ssh-user-key");
    for (const file of [hostKey, userKey]) await makeKey(file);
    // sshd insists on its empty directory for privilege separation, which only the service's start would create.
    if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });

    const sshPort = freePort();
    const port = freePort();
    const config = join(directory, "sshd_config");
    await Bun.write(config, sshdConfig(sshPort, hostKey, userKey, join(directory, "sshd.pid")));
    const server = processes.start("sshd", [requireProgram("sshd"), "-D", "-e", "-f", config]);
    await waitForPort("127.0.0.1", sshPort, server);

    const agent = processes.start("ssh", [
      requireProgram("ssh"),
      "-F",
      "/dev/null",
      "-N",
      "-T",
      "-p",
      String(sshPort),
      "-i",
      userKey,
      "-o",
      "StrictHostKeyChecking=no",
      "-o",
      "UserKnownHostsFile=/dev/null",
      "-o",
      "IdentitiesOnly=yes",
      "-o",
      "ExitOnForwardFailure=yes",
      "-o",
      "BatchMode=yes",
      "-R",
      `127.0.0.1:${port}:127.0.0.1:${servicePort}`,
      `${await userName()}@127.0.0.1`,
    ]);
    const endpoint = { address: "127.0.0.1", port, hostHeaders: ["localhost"] as const };
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

/** The account this runs under, as sshd's password file knows it. */
async function userName(): Promise<string> {
  return (await Bun.$`id -un`.quiet().text()).trim();
}

async function makeKey(file: string): Promise<void> {
  const keygen = Bun.spawn([requireProgram("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", file], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  if ((await keygen.exited) !== 0) throw new Error(`ssh-keygen failed: ${(await keygen.stderr.text()).trim()}`);
}

function sshdConfig(port: number, hostKey: string, userKey: string, pidFile: string): string {
  return `
ListenAddress 127.0.0.1
Port ${port}
HostKey ${hostKey}
PidFile ${pidFile}
AuthorizedKeysFile ${userKey}.pub
AuthenticationMethods publickey
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
UseDNS no
AllowTcpForwarding yes
`;
}
