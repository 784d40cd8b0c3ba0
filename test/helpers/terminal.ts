// A program on a pseudo-terminal, and somebody who types.

/** Runs `command` to its end; types each answer when its text has appeared on the screen, in order. */
export async function onTerminal(
  command: string[],
  talk: readonly (readonly [wait: string, typed: string])[],
  env: Record<string, string | undefined>,
): Promise<{ exitCode: number; screen: string }> {
  let screen = "";
  let step = 0;
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
          terminal.write(next[1]);
        }
      },
    },
  });
  const exitCode = await child.exited;
  child.terminal?.close();
  return { exitCode, screen };
}
