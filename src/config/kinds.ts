// The kinds of settings: how each reads its text, what it allows, and how the documentation shows a value.

import { canonicalCidr, isEverything, parseAddress, privateRanges } from "../lib/cidr.ts";

/** One kind of value. `parse` returns undefined for text that is not allowed. */
export interface Kind<T> {
  parse(text: string): T | undefined;
  /** Completes "… must be": shown in errors and in the documentation. */
  readonly allowed: string;
  show(value: T): string;
  /** The value never appears in an error or a log. */
  readonly secret?: boolean;
}

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const unitBytes: Record<string, number> = { "": 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 };

export function integer(range: { min: number; max: number }): Kind<number> {
  return {
    allowed: `a whole number from ${range.min} to ${range.max}`,
    parse: (text) => (/^\d{1,15}$/.test(text) && +text >= range.min && +text <= range.max ? +text : undefined),
    show: String,
  };
}

/** Milliseconds; written as such or with a unit (`500ms`, `75s`, `10m`, `24h`, `90d`). */
export function duration(range: { minMs: number; maxMs: number } = { minMs: 1, maxMs: 30 * 86_400_000 }): Kind<number> {
  return {
    allowed: `a duration from ${showDuration(range.minMs)} to ${showDuration(range.maxMs)}, in ms or with a unit (500ms, 75s, 10m, 24h, 7d)`,
    parse(text) {
      const match = /^(\d{1,12})(ms|s|m|h|d)?$/.exec(text);
      if (match === null) return undefined;
      const ms = Number(match[1]) * unitMs[match[2] ?? "ms"]!;
      return ms >= range.minMs && ms <= range.maxMs ? ms : undefined;
    },
    show: showDuration,
  };
}

/** Bytes; written as such or with a unit (`64KiB`, `10MiB`). */
export function bytes(range: { min: number; max: number }): Kind<number> {
  return {
    allowed: `a size from ${showBytes(range.min)} to ${showBytes(range.max)}, in bytes or with KiB, MiB, GiB`,
    parse(text) {
      const match = /^(\d{1,15})(KiB|MiB|GiB)?$/.exec(text);
      if (match === null) return undefined;
      const size = Number(match[1]) * unitBytes[match[2] ?? ""]!;
      return size >= range.min && size <= range.max ? size : undefined;
    },
    show: showBytes,
  };
}

export const onOff: Kind<boolean> = {
  allowed: "on or off",
  parse: (text) => ({ on: true, true: true, "1": true, off: false, false: false, "0": false })[text.toLowerCase()],
  show: (value) => (value ? "on" : "off"),
};

export function choice<const T extends string>(...values: T[]): Kind<T> {
  return {
    allowed: `one of ${values.join(", ")}`,
    parse: (text) => values.find((value) => value === text.toLowerCase()),
    show: (value) => value,
  };
}

/** Any text on one line. */
export function text(allowed: string, pattern = /^[^\r\n\0]{1,4096}$/): Kind<string> {
  return { allowed, parse: (value) => (pattern.test(value) ? value : undefined), show: (value) => value };
}

export function secret(minBytes: number): Kind<string> {
  return {
    allowed: `at least ${minBytes} bytes of text`,
    parse: (value) => (new TextEncoder().encode(value).length >= minBytes ? value : undefined),
    show: () => "(secret)",
    secret: true,
  };
}

/** A secret that people send in a header: what every client writes there as the same bytes. */
export const headerSecret: Kind<string> = {
  allowed: "32 to 512 printable ASCII characters",
  parse: (value) => (/^[ -~]{32,512}$/.test(value) ? value : undefined),
  show: () => "(secret)",
  secret: true,
};

/** Secrets separated by commas, the one in use first. */
export function secrets(minBytes: number): Kind<string[]> {
  const one = secret(minBytes);
  return {
    allowed: `keys of at least ${minBytes} bytes each, the newest first, separated by commas`,
    parse: (value) => all(value, (part) => one.parse(part)),
    show: () => "(secret)",
    secret: true,
  };
}

/** A host name that other names can stand below: no address, no port, no wildcard. */
export const hostName: Kind<string> = {
  allowed: "a host name such as tunnel.example.com, without scheme, port or wildcard",
  parse(value) {
    const host = value.toLowerCase().replace(/\.$/, "");
    if (host.length > 190 || parseAddress(host) !== null) return undefined;
    const labels = host.split(".");
    if (/^\d+$/.test(labels.at(-1)!)) return undefined;
    return labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label)) ? host : undefined;
  },
  show: (value) => value,
};

export const listenAddress: Kind<string> = {
  allowed: "an IP address to listen on (0.0.0.0 or :: for all), or localhost",
  parse: (value) => (value === "localhost" || parseAddress(value) !== null ? value : undefined),
  show: (value) => value,
};

export const databaseUrl: Kind<string> = {
  allowed: "a URL such as postgres://user:password@host:5432/database",
  parse: (value) => (/^postgres(ql)?:\/\//.test(value) && URL.canParse(value) ? value : undefined),
  show: () => "(secret)",
  secret: true,
};

/** Proxies whose forwarding headers are believed; never everybody. */
export const proxies: Kind<string[]> = {
  allowed: "addresses and CIDR ranges separated by commas, or private, or none (never * or 0.0.0.0/0)",
  parse(value) {
    if (value === "none") return [];
    const ranges = all(value, (part) => (part === "private" ? [...privateRanges] : range(part)));
    return ranges?.flat().some(isEverything) ? undefined : ranges?.flat();
  },
  show: (value) => (value.length === 0 ? "none" : value.join(",")),
};

/** Ranges of addresses; `any` is every address. */
export const ranges: Kind<string[]> = {
  allowed: "addresses and CIDR ranges separated by commas, or any, or none",
  parse(value) {
    if (value === "none") return [];
    return all(value, (part) => (part === "any" ? ["0.0.0.0/0", "::/0"] : range(part)))?.flat();
  },
  show: (value) => (value.length === 0 ? "none" : value.join(",")),
};

/** Ports: `8081`, `8081-8084`, or several of those separated by commas. */
export const ports: Kind<number[]> = {
  allowed: "ports such as 8081-8084 or 8081,8083, or none",
  parse(value) {
    if (value === "none") return [];
    const list = all(value, (part) => {
      const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
      if (match === null) return undefined;
      const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
      return from >= 1 && from <= to && to <= 65_535
        ? Array.from({ length: to - from + 1 }, (_, i) => from + i)
        : undefined;
    })?.flat();
    return list !== undefined && new Set(list).size === list.length ? list : undefined;
  },
  show: (value) => (value.length === 0 ? "none" : value.join(",")),
};

export const names: Kind<string[]> = {
  allowed: "names of a-z, 0-9 and - separated by commas, or none",
  parse: (value) => (value === "none" ? [] : all(value, (part) => (/^[a-z0-9-]{1,63}$/.test(part) ? part : undefined))),
  show: (value) => (value.length === 0 ? "none" : value.join(",")),
};

function range(part: string): string[] | undefined {
  const canonical = canonicalCidr(part);
  return canonical === null ? undefined : [canonical];
}

function all<T>(value: string, parse: (part: string) => T | undefined): T[] | undefined {
  const parsed: T[] = [];
  for (const part of value.split(",")) {
    const one = parse(part.trim());
    if (one === undefined) return undefined;
    parsed.push(one);
  }
  return parsed;
}

function showDuration(ms: number): string {
  const unit = (["d", "h", "m", "s"] as const).find((name) => ms > 0 && ms % unitMs[name]! === 0) ?? "ms";
  return `${ms / unitMs[unit]!}${unit}`;
}

function showBytes(size: number): string {
  const unit = (["GiB", "MiB", "KiB"] as const).find((name) => size > 0 && size % unitBytes[name]! === 0) ?? "";
  return unit === "" ? String(size) : `${size / unitBytes[unit]!}${unit}`;
}
