// Which times a filter takes, and which moment each of them is.

import { afterEach, describe, expect, test } from "bun:test";
import { AppError } from "../lib/errors.ts";
import { timeOf } from "./paging.ts";

describe("times of filters", () => {
  const zone = process.env["TZ"];
  afterEach(() => {
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  });

  test.each([
    ["2030-01-02T03:04:05.678Z", "2030-01-02T03:04:05.678Z"],
    ["2030-01-02T03:04:05.678901z", "2030-01-02T03:04:05.678Z"],
    ["2030-01-02T03:04:05+02:00", "2030-01-02T01:04:05.000Z"],
    ["2030-01-02T03:04", "2030-01-02T03:04:00.000Z"],
    ["2030-01-02", "2030-01-02T00:00:00.000Z"],
    ["2030", "2030-01-01T00:00:00.000Z"],
  ])("%s is %s, wherever the server stands", (text, moment) => {
    process.env["TZ"] = "Asia/Tokyo";
    expect(new Date(timeOf(text, "from")!).toISOString()).toBe(moment);
  });

  // The last one is a `+` that nobody encoded.
  test.each(["5", "10/11/2030", "1e3", "Jan 2030", "2030-13-01", "2030-01-02T25:00Z", "2030-01-02T03:04:05 02:00"])(
    "%s is refused",
    (text) => {
      expect(() => timeOf(text, "from")).toThrow(AppError);
    },
  );

  test("none is none", () => {
    expect(timeOf(undefined, "to")).toBeNull();
  });
});
