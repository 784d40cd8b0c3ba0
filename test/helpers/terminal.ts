// A program on a pseudo-terminal, and somebody who types.

/** What somebody at a terminal waits for, and then types, or the signal that comes. */
export type Step = readonly [wait: string, typed: string | { signal: NodeJS.Signals }];

/** Runs `command` to its end; types each answer when its text has appeared on the screen, in order. `isAsBefore`: the terminal edits and echoes lines as it did. */
export async function onTerminal(
  command: string[],
  talk: readonly Step[],
  env: Record<string, string | undefined>,
): Promise<{ exitCode: number; signal: string | number | null; screen: string; isAsBefore: boolean }> {
  let screen = "";
  let step = 0;
  // Of another one: on a busy machine the program may have changed its own before anybody looks.
  const fresh = new Bun.Terminal({});
  const before = fresh.localFlags;
  fresh.close();
  const child = Bun.spawn(command, {
    env: { TERM: "xterm", ...env },
    terminal: {
      cols: 90,
      rows: 24,
      data(terminal, data) {
        screen += new TextDecoder().decode(data);
        const next = talk[step];
        if (next !== undefined && screen.includes(next[0])) {
          step++;
          if (typeof next[1] === "string") terminal.write(next[1]);
          else child.kill(next[1].signal);
        }
      },
    },
  });
  const terminal = child.terminal!;
  const exitCode = await child.exited;
  const isAsBefore = terminal.localFlags === before;
  terminal.close();
  return { exitCode, signal: child.signalCode, screen, isAsBefore };
}
