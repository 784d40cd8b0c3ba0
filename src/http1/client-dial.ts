// Dials one connection of the HTTP/1.1 client, and tells it what happens to its socket.

import type { Socket, TLSOptions } from "bun";
import type { ClientFailure } from "./client-connection.ts";

/** Where the other side listens. */
export type Target = { unix: string } | { hostname: string; port: number; tls?: TLSOptions | undefined };

/** Why a TLS target can't be reached whose connection ends before the handshake does. */
export const brokenHandshake = "TLS: the connection broke in the handshake";

/** How the reason begins when a certificate is not accepted. */
export const certificateRefused = "TLS: certificate refused: ";

/** Who hears what happens to a socket that was dialled. */
export interface Dialled {
  /** It is connected; to a TLS target the handshake has begun. */
  opened(socket: Socket<Dialled>): void;
  /** TLS stands, with a certificate that is accepted. */
  secured(): void;
  received(chunk: Buffer): void;
  drain(): void;
  /** The peer half-closed. */
  end(): void;
  closedBySocket(error?: Error): void;
  fail(failure: ClientFailure, detail: string): void;
}

/** The events of a client connection's socket. */
const clientHandlers = {
  open(socket: Socket<Dialled>) {
    socket.setNoDelay(true);
    socket.data.opened(socket);
  },
  data: (socket: Socket<Dialled>, chunk: Buffer) => socket.data.received(chunk),
  drain: (socket: Socket<Dialled>) => socket.data.drain(),
  end: (socket: Socket<Dialled>) => socket.data.end(),
  close: (socket: Socket<Dialled>, error?: Error) => socket.data.closedBySocket(error),
  error: (socket: Socket<Dialled>, error: Error) => socket.data.fail("broken", error.message),
  connectError: (socket: Socket<Dialled>, error: Error) => socket.data.fail("unreachable", reasonOf(error)),
};

/** Without it a certificate that doesn't verify looks like a service that hangs up, and so does a service that speaks no TLS. */
const secureHandlers = (mustVerify: boolean) => ({
  ...clientHandlers,
  handshake(socket: Socket<Dialled>, isDone: boolean, error: TlsError | null) {
    // Bun calls one undone whose certificate is for another name, even where it goes on with it because nobody is to look.
    if (mustVerify ? isDone && error === null : isDone || isCertificateFault(error)) socket.data.secured();
    else socket.data.fail("unreachable", tlsReason(error));
  },
});
const verifyingHandlers = secureHandlers(true);
const trustingHandlers = secureHandlers(false);

/** Whether connections to a target are bare TCP (or unix). */
export function isPlain(target: Target): boolean {
  return !("tls" in target) || target.tls === undefined;
}

/** Returns at once; `dialled` hears that it is open, or that it failed. */
export function dial(dialled: Dialled, target: Target): void {
  const common = { data: dialled, socket: clientHandlers, allowHalfOpen: true };
  const connecting = "unix" in target ? Bun.connect({ ...common, ...target }) : dialTcp(common, target);
  connecting.catch((error: unknown) => dialled.fail("unreachable", reasonOf(error)));
}

type Common = { data: Dialled; socket: typeof clientHandlers; allowHalfOpen: boolean };

function dialTcp(common: Common, { hostname, port, tls }: Exclude<Target, { unix: string }>) {
  if (tls === undefined) return Bun.connect({ ...common, hostname, port });
  const socket = tls.rejectUnauthorized === false ? trustingHandlers : verifyingHandlers;
  return Bun.connect({ ...common, socket, hostname, port, tls });
}

type TlsError = Error & { code?: unknown };

/** What breaks in the handshake itself is EPROTO, or ECONNRESET where the other side hangs up; a certificate's fault has a code of its own. */
function isCertificateFault(error: TlsError | null): boolean {
  return error !== null && error.code !== "EPROTO" && error.code !== "ECONNRESET";
}

function tlsReason(error: TlsError | null): string {
  if (error?.code === "ECONNRESET") return brokenHandshake;
  const message = error?.message ?? "the handshake failed";
  if (message.includes("WRONG_VERSION_NUMBER")) return "TLS: what listens there speaks no TLS";
  // With all the names of a certificate it would be more than a frame holds.
  const short = message.length > 140 ? `${message.slice(0, 140)}…` : message;
  return `${isCertificateFault(error) ? certificateRefused : "TLS: "}${short}`;
}

/** Bun's "Failed to connect" says nothing, and "getaddrinfo ENOTFOUND" only to programmers. */
function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "ECONNREFUSED") return "connection refused: nothing listens there";
  if (code === "ENOTFOUND") return "no host of this name is known";
  return error instanceof Error ? error.message : String(error);
}
