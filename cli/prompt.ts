// Questions on a terminal, secrets without echo, or everything from standard input.

import { exitCodes } from "./exit-codes.ts";

/** Asks on standard error and reads one line with echo. Standard input must be a terminal. */
export async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  return readLine(false);
}

/** Asks on standard error and reads one line that is not shown; of what was pasted at once all lines, for the caller to refuse. Standard input must be a terminal. */
export async function askSecret(question: string): Promise<string> {
  // Of the signals that end a program Bun lets this one leave the terminal raw.
  const onHangUp = (): void => {
    process.off("SIGHUP", onHangUp);
    try {
      process.stdin.setRawMode(false);
    } finally {
      process.kill(process.pid, "SIGHUP");
    }
  };
  process.on("SIGHUP", onHangUp);
  process.stdin.setRawMode(true);
  // Only now: who sees the question may type at once.
  process.stderr.write(question);
  try {
    return await readLine(true);
  } finally {
    process.off("SIGHUP", onHangUp);
    process.stdin.setRawMode(false);
    process.stderr.write("\n");
  }
}

/** Everything of standard input, until its end. */
export async function readAll(): Promise<string> {
  return Bun.stdin.text();
}

/** In raw mode the terminal edits nothing: backspace, Ctrl-U, Ctrl-C and Ctrl-D are ours to obey. */
function readLine(raw: boolean): Promise<string> {
  const stdin = process.stdin;
  const { promise, resolve } = Promise.withResolvers<string>();
  let typed: string[] = [];
  const finish = (): void => {
    stdin.off("data", onData);
    stdin.off("end", finish);
    stdin.pause();
    resolve(typed.join(""));
  };
  const onData = (chunk: string | Buffer): void => {
    const characters = [...String(chunk)];
    for (const [index, character] of characters.entries()) {
      if (character === "\n" || character === "\r") {
        const rest = characters.slice(index).join("").trimEnd();
        if (raw && rest !== "") typed.push(rest);
        return finish();
      }
      if (raw && character === "\u0003") {
        stdin.setRawMode(false);
        process.stderr.write("\n");
        process.exit(exitCodes.interrupted.exitCode);
      }
      if (raw && character === "\u0004") return finish();
      if (raw && (character === "\u007f" || character === "\b")) typed.pop();
      else if (raw && character === "\u0015") typed = [];
      else typed.push(character);
    }
  };
  stdin.setEncoding("utf8");
  stdin.on("data", onData);
  stdin.on("end", finish);
  stdin.resume();
  return promise;
}
