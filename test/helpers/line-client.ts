// A client for the line protocol of the hand-over's tests.

import type { Socket } from "bun";
import { writeWhole } from "./line-connections.ts";

const mostWaitMs = 20_000;

export interface LineClient {
  socket: Socket<undefined>;
  /** Everything received so far, as latin1. */
  received(): string;
  /** Sends a short text, wholly. */
  send(text: string): void;
  /** Resolves with everything received once it ends with `text`; rejects when the connection closes before, or after 20 s. */
  until(text: string): Promise<string>;
  /** Resolves when the connection is closed, with the error's code or "end". */
  closed: Promise<string>;
}

/** Connects to 127.0.0.1 and sends `first` at once. */
export async function connectLines(port: number, first = ""): Promise<LineClient> {
  let text = "";
  let check = (): void => {};
  const { promise: closed, resolve } = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    allowHalfOpen: true,
    socket: {
      open: (opened) => void (first !== "" && writeWhole(opened, first)),
      data(_, chunk) {
        text += chunk.toString("latin1");
        check();
      },
      drain() {},
      end(ended) {
        resolve("end");
        ended.shutdown();
      },
      close: (_, error) => resolve((error as NodeJS.ErrnoException | undefined)?.code ?? "end"),
      error: (failed) => failed.terminate(),
    },
  });
  return {
    socket,
    send: (line) => writeWhole(socket, line),
    received: () => text,
    closed,
    until(tail) {
      const { promise, resolve: found, reject } = Promise.withResolvers<string>();
      check = () => {
        if (text.endsWith(tail)) found(text);
      };
      check();
      const fail = (why: string): void =>
        reject(new Error(`${why} while waiting for ${JSON.stringify(tail)}, got ${text}`));
      const timer = setTimeout(() => fail(`${mostWaitMs} ms went by`), mostWaitMs);
      void closed.then((why) => fail(`closed (${why})`));
      return promise.finally(() => clearTimeout(timer));
    },
  };
}
