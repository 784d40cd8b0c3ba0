// Values from the command line, checked: ports, local addresses, names, server URLs, tokens.

import { errorCatalogue } from "../src/lib/errors.ts";
import { safe } from "./output/safe.ts";
import { UsageError } from "./usage-error.ts";

/** Where a local service listens, as far as the user said. */
export interface LocalTarget {
  host: string | null;
  port: number;
  https: boolean;
}

/** A TCP port, 1 to 65535. `flag` is where it was given, for the refusal. */
export function parsePort(text: string, flag?: string): number {
  const port = /^[0-9]{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 1 && port <= 65_535))
    throw new UsageError(
      `${flag === undefined ? "" : `${flag} `}${quoted(text)} is not a port; a port is a number from 1 to 65535.`,
    );
  return port;
}

/** A whole number between `min` and `max`. */
export function parseCount(text: string, flag: string, min: number, max: number): number {
  const count = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= min && count <= max))
    throw new UsageError(`${flag} ${quoted(text)} is not possible; it takes a whole number from ${min} to ${max}.`);
  return count;
}

/** `3000`, `:3000`, `localhost:3000`, `[::1]:3000`, `http://localhost:3000`, `https://localhost`. */
export function parseTarget(text: string): LocalTarget {
  if (/^[0-9]+$/.test(text)) return { host: null, port: parsePort(text), https: false };
  const schemed = /^(https?):\/\/(.+)$/i.exec(text);
  const https = schemed?.[1]?.toLowerCase() === "https";
  const rest = schemed?.[2] ?? text;
  const parts = /^(\[[0-9a-fA-F:.]+\]|[^:/?#[\]@\s]*)(?::([^:/?#]*))?(\/.*|[?#].*)?$/.exec(rest);
  const port = parts?.[2] ?? (schemed === null ? undefined : https ? "443" : "80");
  if (parts === null || port === undefined || (parts[1] === "" && schemed !== null)) {
    throw new UsageError(
      `${quoted(text)} is no local address; write a port (3000), host:port (localhost:3000) or http://host:port.`,
    );
  }
  if (schemed === null && /^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    throw new UsageError(`${quoted(text)} is neither http:// nor https://; for anything else use digit-link tcp PORT.`);
  if (parts[3] !== undefined && parts[3] !== "/")
    throw new UsageError(`${quoted(text)} has a path; a tunnel forwards whole hosts, so leave it out.`);
  const host = parts[1]?.replace(/^\[|\]$/g, "") ?? "";
  return { host: host === "" ? null : checkHost(host), port: parsePort(port), https };
}

/** A local host: a name or an address. */
export function checkHost(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, "$1");
  const valid =
    /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(host) ||
    (host.length <= 253 && /^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9._])?$/.test(host));
  if (!valid) throw new UsageError(`${quoted(text)} is no host name or address.`);
  return host;
}

/** `name:port`, `name:host:port`, `name:https://host:port`. */
export function parseForward(text: string): { name: string; target: LocalTarget } {
  const colon = text.indexOf(":");
  if (colon < 1 || colon === text.length - 1) {
    throw new UsageError(
      `--forward ${quoted(text)} is incomplete; write name:port or name:host:port, like --forward shop:4000.`,
    );
  }
  return { name: parseName(text.slice(0, colon)), target: parseTarget(text.slice(colon + 1)) };
}

/** A public name, in lower case. */
export function parseName(text: string): string {
  const name = text.toLowerCase();
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    throw new UsageError(`The name ${quoted(text)} is not possible: ${decapital(errorCatalogue.invalid_name.message)}`);
  return name;
}

/** The server's origin, `https://tunnel.example.com`; without a scheme https, or http for this machine itself. `source` names where it was found if it was not typed. */
export function parseServer(text: string, source?: string): string {
  const where = source === undefined ? "" : `In ${safe(source)}: `;
  const schemed = text.includes("://") ? text : `${isLoopbackHost(hostOf(text)) ? "http" : "https"}://${text}`;
  const url = URL.canParse(schemed) ? new URL(schemed) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw new UsageError(`${where}The server ${quoted(text)} is no address; write it like https://tunnel.example.com.`);
  }
  if (url.username !== "" || url.password !== "")
    throw new UsageError(
      `${where}The server's address must not hold a user name or password; the token goes into --token-file or DIGIT_LINK_TOKEN.`,
    );
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    throw new UsageError(`${where}The server ${quoted(text)} has a path; write only its address: ${url.origin}.`);
  return url.origin;
}

/** Whether traffic to this origin can be read by others on the way: plain http to another machine. */
export function isCleartext(origin: string): boolean {
  const url = new URL(origin);
  return url.protocol === "http:" && !isLoopbackHost(url.hostname);
}

/** A token: printable, without spaces; line ends around it are dropped. `source` names where it came from. */
export function parseToken(text: string, source: string): string {
  const token = text.trim();
  if (token === "") throw new UsageError(`${capital(source)} holds no token.`);
  if (token.length > 4096 || !/^[\x21-\x7e]+$/.test(token))
    throw new UsageError(
      `${capital(source)} holds something that is no token; a token is one word of printable characters.`,
    );
  return token;
}

function hostOf(text: string): string {
  const authority = text.split(/[/?#]/, 1)[0] ?? "";
  return authority.startsWith("[")
    ? authority.slice(0, authority.indexOf("]") + 1)
    : (authority.split(":", 1)[0] ?? "");
}

function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase();
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === "[::1]" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  );
}

const quoted = (text: string): string => `"${safe(text.length > 80 ? `${text.slice(0, 80)}…` : text)}"`;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const decapital = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
