// The command line as a process: what it writes and how it ends, without or with a terminal.

import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { endWithThisProcess } from "./server-process.ts";
import { onTerminal as talkOnTerminal, type Step } from "./terminal.ts";

const main = join(import.meta.dir, "../../cli/main.ts");

export interface CliOptions {
  /** Beside PATH; `HOME` is the folder of `createCli`. */
  env?: Record<string, string>;
  /** Standard input; without it there is none. */
  input?: string;
}

export interface CliResult {
  exitCode: number;
  out: string;
  problems: string;
}

export interface CliAgent extends AsyncDisposable {
  /** What it has written so far. */
  readonly said: { readonly out: string; readonly problems: string };
  /** Waits until standard output holds `text`. */
  until(text: string): Promise<void>;
  /** Interrupts it, as Ctrl-C does. */
  stop(): Promise<CliResult>;
}

/** Runs `digit-link` with `home` as the user's home, so that nothing saved is seen and nothing is left behind. */
export function createCli(home: string) {
  const environment = (env: Record<string, string> = {}) => ({
    PATH: process.env.PATH ?? "",
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    ...env,
  });

  async function digitLink(argv: string[], options: CliOptions = {}): Promise<CliResult> {
    const child = Bun.spawn([process.execPath, main, ...argv], {
      env: environment(options.env),
      stdin: options.input === undefined ? "ignore" : new TextEncoder().encode(options.input),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, problems, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return { exitCode, out, problems };
  }

  /** Runs on a pseudo-terminal; answers each expected text with what a person would type. */
  const onTerminal = (argv: string[], talk: readonly Step[], env: Record<string, string> = {}) =>
    talkOnTerminal([process.execPath, main, ...argv], talk, environment(env));

  /** Starts an agent and goes on; disposing of it interrupts it and waits for its end. */
  function serve(argv: string[], options: CliOptions = {}): CliAgent {
    const child = Bun.spawn([process.execPath, main, ...argv], {
      env: environment(options.env),
      stdin: options.input === undefined ? "ignore" : new TextEncoder().encode(options.input),
      stdout: "pipe",
      stderr: "pipe",
    });
    endWithThisProcess(child.pid);
    const said = { out: "", problems: "" };
    const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, key: keyof typeof said) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) said[key] += text;
    };
    const ended = Promise.all([child.exited, read(child.stdout, "out"), read(child.stderr, "problems")]);
    const stop = async (): Promise<CliResult> => {
      child.kill("SIGINT");
      const [exitCode] = await ended;
      return { exitCode, ...said };
    };
    return {
      said,
      until: (text) =>
        eventually(() => said.out.includes(text), `it says "${text}"`).catch((error: unknown) => {
          throw new Error(`${String(error)}; it said: ${said.out}${said.problems}`);
        }),
      stop,
      [Symbol.asyncDispose]: async () => void (await stop()),
    };
  }

  return { digitLink, onTerminal, serve };
}
