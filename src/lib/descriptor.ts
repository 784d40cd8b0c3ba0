// The only file that calls the C library: duplicating, closing, pairing and reading descriptors, how one ends, a listener's backlog, a thread's priority.

import { dlopen, type Library } from "bun:ffi";
import { fstatSync, readdirSync } from "node:fs";

const prototypes = {
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  dup: { args: ["i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  ioctl: { args: ["i32", "u64"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  read: { args: ["i32", "ptr", "usize"], returns: "i32" },
  recv: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  getrlimit: { args: ["i32", "ptr"], returns: "i32" },
  tcgetpgrp: { args: ["i32"], returns: "i32" },
  getpgrp: { args: [], returns: "i32" },
  nice: { args: ["i32"], returns: "i32" },
} as const;

const isLinux = process.platform === "linux";
const libraryNames = isLinux
  ? ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`, "libc.so"]
  : process.platform === "darwin"
    ? ["/usr/lib/libSystem.B.dylib"]
    : [];

/** Undefined until it is needed: opening it takes some ms, which an agent that moves little never spends. */
let opened: Library<typeof prototypes>["symbols"] | null | undefined;

/** POLLHUP in `revents`, the upper half of the second word. */
const hangUpBit = 0x10 << 16;
const pollIn = 0x01;
const pollError = 0x08;
/** Both are asked for; a FIN that has arrived shows as POLLRDHUP on Linux, elsewhere as POLLHUP. */
const askForBytes = pollIn | (isLinux ? 0x2000 : 0);
/** struct pollfd: fd, then events and revents. */
const pollEntry = new Int32Array(2);
const oneByte = new Uint8Array(1);
/** struct linger: on or off, and how many seconds. */
const linger = new Int32Array(2);

/** Whether this platform can duplicate descriptors and tell sockets apart, without which connections stay where they are. */
export function canMove(): boolean {
  return library() !== null && hasInodes();
}

/** The descriptor under a Bun socket or listener; -1 once it is closed. */
export function descriptorOf(socket: object): number {
  // Bun has `fd` on its sockets and listeners, but does not declare it.
  return (socket as { readonly fd?: number }).fd ?? -1;
}

/**
 * A second descriptor of the same open socket, closed on exec; -1 when the process has no descriptor left (or can't move).
 * The caller closes it, or gives it to somebody who does.
 */
export function duplicate(fd: number): number {
  const libc = library();
  if (libc === null) return -1;
  if (isLinux) return libc.fcntl(fd, 1030 /* F_DUPFD_CLOEXEC */, 0);
  // `fcntl` takes its third argument on the stack on Apple silicon, where FFI would put it into a register.
  return closeOnExec(libc.dup(fd));
}

/** Closes a descriptor that no Bun object owns; false when it was not open. Never call it twice for one descriptor. */
export function closeDescriptor(fd: number): boolean {
  return library()?.close(fd) === 0;
}

/**
 * Two connected stream sockets, closed on exec; null when the process has no descriptors left. Both belong to the caller. The kernel
 * writes their numbers into `pair`, so that they are known there even if this thread doesn't live to see them.
 */
export function createPair(pair: Int32Array = new Int32Array(2)): [number, number] | null {
  const libc = library();
  if (libc === null) return null;
  const streamType = 1 /* SOCK_STREAM */ | (isLinux ? 0o2000000 /* SOCK_CLOEXEC */ : 0);
  if (libc.socketpair(1 /* AF_UNIX */, streamType, 0, pair) !== 0) return null;
  const [first = -1, second = -1] = pair;
  return isLinux ? [first, second] : [closeOnExec(first), closeOnExec(second)];
}

/** Whether the peer of a socket is gone for good (not just half-closed). Bun does not tell of a socket pair's while it is paused. */
export function hasHungUp(socket: object): boolean {
  const fd = descriptorOf(socket);
  const libc = library();
  if (libc === null || fd < 0) return false;
  pollEntry[0] = fd;
  pollEntry[1] = 0;
  return libc.poll(pollEntry, 1n, 0) === 1 && (pollEntry[1]! & hangUpBit) !== 0;
}

/**
 * Reads what a plain stream socket has, into `out` from its start, at most `maxBytes` of it. 0: nothing, or there is more to tell than
 * bytes (its end, a reset), which is left for Bun to find: it must be read by Bun then. Never of a socket whose TLS ends in Bun.
 */
export function readInto(socket: object, out: Uint8Array, maxBytes: number): number {
  const fd = descriptorOf(socket);
  const libc = library();
  if (libc === null || fd < 0) return 0;
  pollEntry[0] = fd;
  pollEntry[1] = askForBytes;
  // A read of a socket that is reset would swallow the error, and Bun would take it for a clean end. While there are bytes, there is no error to swallow.
  if (libc.poll(pollEntry, 1n, 0) !== 1 || pollEntry[1]! >>> 16 !== pollIn) return 0;
  return Math.max(0, libc.read(fd, out, maxBytes));
}

/**
 * Reads one line that was typed at the terminal on standard input into `out`, as the terminal edited it. 0: there is none, no terminal, or
 * another program is in its foreground: what is typed is that one's, and who reads it is stopped.
 */
export function readTyped(out: Uint8Array): number {
  const libc = library();
  if (libc === null || libc.tcgetpgrp(0) !== libc.getpgrp()) return 0;
  pollEntry[0] = 0;
  pollEntry[1] = pollIn;
  if (libc.poll(pollEntry, 1n, 0) !== 1 || pollEntry[1]! >>> 16 !== pollIn) return 0;
  return Math.max(0, libc.read(0, out, out.length));
}

/** Whether the peer of a plain stream socket has sent its FIN, and nothing before it that is still unread. Bun tells of it only while the socket is read. */
export function hasEndedUnread(socket: object): boolean {
  const fd = descriptorOf(socket);
  const libc = library();
  if (libc === null || fd < 0) return false;
  pollEntry[0] = fd;
  pollEntry[1] = askForBytes;
  // As above: an error is left for Bun to find.
  if (libc.poll(pollEntry, 1n, 0) !== 1 || ((pollEntry[1]! >>> 16) & pollError) !== 0) return false;
  return libc.recv(fd, oneByte, 1, 2 /* MSG_PEEK */) === 0;
}

/**
 * Whether closing a TCP socket resets it (SO_LINGER of 0 s): whoever closes it, the kernel at the death of this process too. What the
 * kernel has not delivered yet is lost then. Nothing happens where it can't be set.
 */
export function setResetOnClose(socket: object, isOn: boolean): void {
  linger[0] = isOn ? 1 : 0;
  const [socketLevel, lingerOption] = isLinux ? [1, 13] : [0xffff, 0x80];
  library()?.setsockopt(descriptorOf(socket), socketLevel, lingerOption, linger, linger.byteLength);
}

/** Raises the backlog of a listening socket (Bun fixes it at 512). The kernel still caps it (`net.core.somaxconn`). */
export function widenBacklog(fd: number, backlog: number): boolean {
  return library()?.listen(fd, backlog) === 0;
}

/** The port that a TCP socket is bound to (Bun knows it only of listeners that it opened itself); null when the platform does not say. */
export function portOf(fd: number): number | null {
  const address = new Uint8Array(128);
  const length = new Int32Array([address.length]);
  const libc = library();
  if (libc === null || libc.getsockname(fd, address, length) !== 0) return null;
  // Behind the family, in network order, in IPv4 and IPv6 addresses alike.
  return address[2]! * 256 + address[3]! || null;
}

/**
 * What tells one open socket from another one under the same number (never 0); 0 when `fd` is not an open socket. Only sockets: a
 * file on some disk may well have the same inode number as a socket.
 */
export function inodeOf(fd: number): number {
  try {
    const stats = fstatSync(fd);
    return stats.isSocket() ? stats.ino | 0 || 1 : 0;
  } catch {
    // Not open any more: that is the answer, not a failure.
    return 0;
  }
}

/** The numbers of all descriptors that are open in this process (a snapshot). */
export function openDescriptors(): number[] {
  return readdirSync(isLinux ? "/proc/self/fd" : "/dev/fd").map(Number);
}

/** How many descriptors this process may hold (the soft limit); 1024 when the platform does not say. */
export function descriptorLimit(): number {
  const limits = new BigUint64Array(2);
  const libc = library();
  if (libc === null || libc.getrlimit(isLinux ? 7 : 8 /* RLIMIT_NOFILE */, limits) !== 0) return 1024;
  return Number(limits[0]);
}

/** Lowers the priority of the thread that calls, by so many of its 40 steps, for good. Only on Linux: elsewhere it is the whole process that has one. */
export function lowerPriority(steps: number): void {
  if (isLinux) library()?.nice(steps);
}

/** The C library; null when it can't be had. */
function library(): Library<typeof prototypes>["symbols"] | null {
  if (opened === undefined) opened = openLibrary();
  return opened;
}

function openLibrary(): Library<typeof prototypes>["symbols"] | null {
  for (const name of libraryNames) {
    try {
      return dlopen(name, prototypes).symbols;
    } catch {
      // Not this C library: the next name, and without any the connections are not moved.
      continue;
    }
  }
  return null;
}

function closeOnExec(fd: number): number {
  if (fd >= 0) library()?.ioctl(fd, 0x20006601 /* FIOCLEX */);
  return fd;
}

/** The ledger is safe only where the inode of a socket means something (Linux: always). */
function hasInodes(): boolean {
  const pair = createPair();
  if (pair === null) return isLinux;
  const [first, second] = [fstatSync(pair[0]).ino, fstatSync(pair[1]).ino];
  for (const fd of pair) closeDescriptor(fd);
  return first !== 0 && second !== 0 && first !== second;
}
