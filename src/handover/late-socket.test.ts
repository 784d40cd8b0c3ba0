// A socket that is still being opened: what was asked of it before is done then.

import { expect, test } from "bun:test";
import { LateSocket, type PipeSocket } from "./late-socket.ts";

test.each([
  [[], []],
  [["pause"], ["pause"]],
  [["pause", "resume"], []],
  [["pause", "shutdown"], ["shutdown"]],
  [["terminate"], ["terminate"]],
] as const)("after %j it does %j", (asked, does) => {
  const did: string[] = [];
  const note = (what: string) => () => void did.push(what);
  const late = new LateSocket();
  expect(late.write(Buffer.from("x"))).toBe(0);
  for (const what of asked) late[what]();
  const socket = { write: () => 1, pause: note("pause"), resume: note("resume"), shutdown: note("shutdown") };
  late.open({ ...socket, end: note("end"), terminate: note("terminate") } as unknown as PipeSocket);
  expect(did).toEqual([...does]);
  expect(late.write(Buffer.from("x"))).toBe(1);
});
