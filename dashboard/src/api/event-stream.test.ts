// Parsing of event streams: fields, line ends, and bytes cut anywhere.

import { describe, expect, test } from "bun:test";
import { createEventParser, type StreamEvent } from "./event-stream.ts";

function parse(...pieces: string[]): StreamEvent[] {
  const events: StreamEvent[] = [];
  const feed = createEventParser((event) => events.push(event));
  for (const piece of pieces) feed(piece);
  return events;
}

describe("event stream", () => {
  test("an event with id, type and two data lines", () => {
    expect(parse("id: 7\nevent: request\ndata: a\ndata: b\n\n")).toEqual([{ id: "7", type: "request", data: "a\nb" }]);
  });

  test("the result does not depend on how the bytes were cut", () => {
    const text = ": hello\r\nid: 1\r\nevent: stats\r\ndata: {}\r\n\r\nid: 2\r\ndata: x\r\n\r\n";
    const whole = parse(text);
    expect(whole).toHaveLength(2);
    expect(parse(...text.split(""))).toEqual(whole);
  });

  test("comments and events without data are silent, the id is kept", () => {
    expect(parse("id: 3\n\n:ping\n\ndata: x\n\n")).toEqual([{ id: "3", type: "message", data: "x" }]);
  });
});
