// Addresses and ranges: canonical spellings, strict refusals, and lists that agree with arithmetic.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  canonicalAddress,
  canonicalCidr,
  createCidrList,
  isEverything,
  parseAddress,
  parseCidr,
  privateRanges,
  networkOf,
  rangesAround,
} from "./cidr.ts";

const ipv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => parts.join("."));
const ipv6 = fc.ipV6();

test("canonical spellings", () => {
  const spellings: Record<string, string> = {
    "10.0.0.1": "10.0.0.1",
    "2001:DB8:0:0:0:0:0:1": "2001:db8::1",
    "::": "::",
    "1::": "1::",
    "1:0:0:2:0:0:0:3": "1:0:0:2::3",
    "1:0:2:3:4:5:6:7": "1:0:2:3:4:5:6:7",
    "::ffff:1.2.3.4": "1.2.3.4",
    "::FFFF:0102:0304": "1.2.3.4",
    "64:ff9b::1.2.3.4": "64:ff9b::102:304",
    "fe80::1%eth0": "fe80::1",
  };
  for (const [text, expected] of Object.entries(spellings)) expect(canonicalAddress(text)).toBe(expected);
});

test("canonical ranges", () => {
  const ranges: Record<string, string> = {
    "10.1.2.3/8": "10.0.0.0/8",
    "10.1.2.3/32": "10.1.2.3",
    "10.1.2.3": "10.1.2.3",
    "0.0.0.0/0": "0.0.0.0/0",
    "2001:db8::1/32": "2001:db8::/32",
    "::1/128": "::1",
    "::ffff:10.9.8.7/104": "10.0.0.0/8",
  };
  for (const [text, expected] of Object.entries(ranges)) expect(canonicalCidr(text)).toBe(expected);
  expect([isEverything("::/0"), isEverything("0.0.0.0/0"), isEverything("0.0.0.0/1")]).toEqual([true, true, false]);
});

test("what is no address or range", () => {
  const wrong = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "256.1.1.1",
    "1.2.3.4 ",
    "0x1.2.3.4",
    ":::",
    "1::2::3",
    "12345::",
    "::1.2.3",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "2001:db8",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "1:2:3:4::5:6:7:8:9",
  ];
  for (const text of wrong)
    expect([text, parseAddress(text), canonicalAddress(text), canonicalCidr(text)]).toEqual([text, null, null, null]);
  for (const text of ["1.2.3.4/33", "1.2.3.4/", "1.2.3.4/08", "::/129", "::ffff:1.2.3.4/95", "fe80::1%eth0/64", "any"])
    expect(parseCidr(text)).toBeNull();
  expect(() => createCidrList(["10.0.0.0/8", "nonsense"])).toThrow(RangeError);
});

test("a canonical spelling reads back as the same address", () => {
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), (text) => {
      const canonical = canonicalAddress(text);
      expect(canonical).not.toBeNull();
      expect(parseAddress(canonical!)).toEqual(parseAddress(text)!);
      expect(canonicalAddress(canonical!)).toBe(canonical);
    }),
  );
});

test("a compiled list contains exactly what its ranges contain", () => {
  const range = fc.oneof(
    fc.tuple(ipv4, fc.nat(32)).map(([address, prefix]) => `${address}/${prefix}`),
    fc.tuple(ipv6, fc.nat(128)).map(([address, prefix]) => `${address}/${prefix}`),
  );
  const bits = (text: string): string => {
    const address = parseAddress(text)!;
    return address.version + address.value.toString(2).padStart(address.version === 4 ? 32 : 128, "0");
  };
  fc.assert(
    fc.property(fc.array(range, { maxLength: 8 }), fc.oneof(ipv4, ipv6), (list, address) => {
      const expected = list.some((text) => {
        const cidr = parseCidr(text);
        if (cidr === null) return false;
        return bits(address).startsWith(bits(canonicalCidr(text)!.split("/")[0]!).slice(0, 1 + cidr.prefix));
      });
      expect(createCidrList(list.filter((text) => parseCidr(text) !== null)).matches(address)).toBe(expected);
    }),
  );
});

describe("security", () => {
  test("all addresses of an IPv6 /64 are one network, however they are written", () => {
    const same = ["2001:db8:0:1::1", "2001:db8::1:ffff:0:0:1", "2001:0DB8:0000:0001:a:b:c:d", "2001:db8:0:1::%eth0"];
    expect(new Set(same.map(networkOf)).size).toBe(1);
    expect(networkOf("2001:db8:0:2::1")).not.toBe(networkOf(same[0]!));
    expect(networkOf("64:ff9b::192.0.2.1")).toBe(networkOf("64:ff9b::1"));
    expect(["192.0.2.7", "::ffff:192.0.2.7", "unknown", ":::"].map(networkOf)).toEqual([
      "192.0.2.7",
      "192.0.2.7",
      "unknown",
      ":::",
    ]);
  });

  test("an IPv4-mapped peer is judged as IPv4", () => {
    expect(createCidrList(["10.0.0.0/8"]).matches("::ffff:10.1.1.1")).toBe(true);
    expect(createCidrList(["::/0"]).matches("::ffff:10.1.1.1")).toBe(false);
    expect(createCidrList(privateRanges as unknown as string[]).matches("::ffff:127.0.0.1")).toBe(true);
  });

  test("nothing but an address is ever contained", () => {
    const everything = createCidrList(["0.0.0.0/0", "::/0"]);
    for (const text of ["", "unknown", "any", "1.2.3.4, 5.6.7.8", "localhost"])
      expect(everything.matches(text)).toBe(false);
  });
});

test("the ranges around an address contain it, from everything down to itself", () => {
  expect(rangesAround("10.1.2.3/9")).toEqual(
    expect.arrayContaining(["0.0.0.0/0", "8.0.0.0/5", "10.0.0.0/8", "10.0.0.0/9"]),
  );
  expect(rangesAround("not an address")).toEqual([]);
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), (address) => {
      const around = rangesAround(address);
      expect(around.every((range) => createCidrList([range]).matches(address))).toBe(true);
      expect(new Set(around).size).toBe(parseAddress(address)?.version === 4 ? 33 : 129);
      expect(around.at(-1) ?? null).toBe(canonicalAddress(address));
    }),
  );
});
