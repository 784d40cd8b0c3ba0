// docs/protocol.md says what frames.ts does: every number, limit and name, and its examples decode.

import { describe, expect, test } from "bun:test";
import { Head } from "../http1/head.ts";
import { type ErrorCode, errorCatalogue } from "../lib/errors.ts";
import { readFrames } from "../../test/helpers/read-frames.ts";
import * as frames from "./frames.ts";

const page = await Bun.file(new URL("../../docs/protocol.md", import.meta.url)).text();

/** The cells of every table row of the page. */
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

const flagNames = ["FIN", "MORE", "UPGRADE", "HEAD_METHOD", "CHUNKED", "RAW"];
const numbers = Object.entries(frames).filter((entry): entry is [string, number] => typeof entry[1] === "number");
const types = numbers.filter(([name]) => /^[A-Z_]+$/.test(name) && !flagNames.includes(name));
const flags = numbers.filter(([name]) => flagNames.includes(name));

describe("docs/protocol.md", () => {
  test("frames.ts has the types and flags that this test takes it to have", () => {
    expect(types.map(([, number]) => number).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 14 }, (_, i) => i + 1),
    );
    expect(flags.map(([, value]) => value).toSorted((a, b) => a - b)).toEqual([1, 2, 4, 8, 16, 32]);
  });

  test.each(types)("frame type %s = %d has its row and its section", (name, number) => {
    expect(rows.filter((cells) => cells[0] === name && cells[1] === String(number))).toHaveLength(1);
    expect(page).toMatch(new RegExp(`^### .*\\b${name} \\(${number}\\)`, "m"));
  });

  test.each(flags)("flag %s = %d has its row", (name, value) => {
    expect(
      rows.filter((cells) => cells[0] === name && cells[1] === `0x${value.toString(16).padStart(2, "0")}`),
    ).toHaveLength(1);
  });

  test.each([...Object.entries(frames.resetCode), ...Object.entries(frames.closeCode)])(
    "code %s = %d has its row",
    (name, code) => {
      expect(rows.filter((cells) => cells[0] === String(code) && cells[1] === name)).toHaveLength(1);
    },
  );

  test.each([
    frames.maxPayloadBytes,
    frames.maxMessageBytes,
    frames.maxJsonBytes,
    frames.initialWindowBytes,
    frames.smallWindowBytes,
    frames.maxWindowBytes,
    frames.sessionWindowBytes,
  ])("limit %d is named", (bytes) => {
    expect(page).toContain(bytes.toLocaleString("en"));
  });

  test("names: the subprotocol, and error codes that exist, with their status", () => {
    expect(page).toContain(`\`${frames.subprotocol}\``);
    for (const [, status, code] of page.matchAll(/(\d{3}) `([a-z_]+)`/g))
      expect([code, errorCatalogue[code as ErrorCode]?.status]).toEqual([code, Number(status)]);
  });

  test("the codes of a registration are told to be retryable, or not, as they are", () => {
    const lists = [...page.matchAll(/^- (retryable|the [a-z ]+): (\d{3} `.*)/gm)];
    expect(lists).toHaveLength(4);
    for (const [, kind, codes] of lists)
      for (const [, code] of codes!.matchAll(/\d{3} `([a-z_]+)`/g))
        expect([code, errorCatalogue[code as ErrorCode].retryable]).toEqual([code, kind === "retryable"]);
  });

  test("the worked example decodes to what its comments say", () => {
    const decoded: [string, number, number, string][] = [];
    const names = new Map(types.map(([name, number]) => [number, name]));
    for (const [, block] of page.matchAll(/```hex \w+\n([\s\S]*?)```/g)) {
      const message = Buffer.from(
        block!
          .split("\n")
          .map((line) => /^(?:[0-9a-f]{2} ?)*/.exec(line)![0])
          .join("")
          .replaceAll(" ", ""),
        "hex",
      );
      readFrames(message, {
        frame(type, flags, stream, bytes, start, end) {
          decoded.push([names.get(type)!, flags, stream, bytes.toString("latin1", start, end)]);
        },
      });
    }
    const requestHead = "GET /hi HTTP/1.1\r\nHost: myapp.example.com\r\nX-A: 1\r\n\r\n";
    const responseHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect(decoded).toEqual([
      ["OPEN", frames.FIN, 1, `\0\x04\0\0\0\x04\0\0${requestHead}`],
      ["HEAD", 0, 1, `\0\0\x01\xa4${responseHead}`],
      ["DATA", 0, 1, "hello"],
      ["DATA", 0, 1, "!"],
      ["END", 0, 1, "X-T: end\r\n"],
      ["RESET", 0, 1, "\0\x02connection refused"],
    ]);
    const bytes = Buffer.from(requestHead);
    expect(new Head().parseRequest(bytes, 0, bytes.length)).toBe(bytes.length);
  });
});
