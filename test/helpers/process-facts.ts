// What the kernel says about a process: its memory and its descriptors.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
}

/** Open descriptors. */
export function descriptorCount(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** What the descriptors are, counted by kind: for messages of failing tests. */
export function describeDescriptors(pid: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    let kind: string;
    try {
      kind = readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:?\[?\d+\]?$/, "");
    } catch {
      // Closed since the listing.
      continue;
    }
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

/** CPU time used so far, in ms. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  // utime and stime, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Samples resident memory every 50 ms until `stop`; `peakBytes` is the most that was seen. */
export function watchMemory(pid: number): { peakBytes(): number; stop(): void } {
  let peak = residentBytes(pid);
  const timer = setInterval(() => (peak = Math.max(peak, residentBytes(pid))), 50);
  return { peakBytes: () => peak, stop: () => clearInterval(timer) };
}

/** Bytes that the kernel holds for all TCP connections of these ports, on either end: sent and not yet taken, taken and not yet read. */
export function kernelBytes(ports: readonly number[]): number {
  let bytes = 0;
  for (const kind of ["tcp", "tcp6"]) {
    for (const line of readFileSync(`/proc/net/${kind}`, "utf8").split("\n").slice(1)) {
      const [, local = "", remote = "", , queues = ""] = line.trim().split(/\s+/);
      const isOurs = [local, remote].some((end) => ports.includes(Number.parseInt(end.split(":")[1] ?? "", 16)));
      if (isOurs) for (const queue of queues.split(":")) bytes += Number.parseInt(queue, 16);
    }
  }
  return bytes;
}

/** Sockets on which the process takes connections or datagrams from others, as `tcp 127.0.0.1:8080`, `udp …`, `unix PATH`. */
export function listeningSockets(pid: number): string[] {
  const own = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined) own.add(inode);
    } catch {
      // Closed since the listing.
    }
  }
  const rows = (file: string): string[][] =>
    readFileSync(`/proc/${pid}/net/${file}`, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
  const found: string[] = [];
  for (const kind of ["tcp", "tcp6", "udp", "udp6"])
    for (const [, local = "", remote = "", state = "", , , , , , inode = ""] of rows(kind)) {
      // TCP in LISTEN; UDP without a peer (that of a name's look-up has one).
      const isOpen = kind.startsWith("tcp") ? state === "0A" : /^0+:0000$/.test(remote);
      if (isOpen && own.has(inode)) found.push(`${kind} ${address(local)}`);
    }
  // The flag of a unix socket that accepts connections.
  for (const [, , , flags = "", , , inode = "", path = ""] of rows("unix"))
    if (flags === "00010000" && own.has(inode)) found.push(`unix ${path}`);
  return found;
}

/** `0100007F:1F90` as `127.0.0.1:8080`; longer addresses stay hexadecimal. */
function address(text: string): string {
  const [host = "", port = ""] = text.split(":");
  const name = host.length === 8 ? Buffer.from(host, "hex").reverse().join(".") : host;
  return `${name}:${Number.parseInt(port, 16)}`;
}

/**
 * Begins to watch this process; what the result says is open and was not at first. Other tests' descriptors that close meanwhile neither
 * hide what stays open nor look like something that was closed twice.
 */
export function watchDescriptors(): () => string[] {
  const open = (): string[] =>
    readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
      } catch {
        // That of the listing itself, or closed since.
        return [];
      }
    });
  const before = new Set(open());
  return () => open().filter((one) => !before.has(one));
}
