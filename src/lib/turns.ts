// Work that comes in crowds, spread over the turns of the event loop, so that everything else has its turns in between.

/**
 * Lets one caller through per turn of the event loop, in the order of their calls. What it does then until it waits for
 * something is all that it adds to a turn. Callers wait as long as they are many: bound them elsewhere.
 */
export function createTurns(): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let next = 0;
  const letOneIn = (): void => {
    waiting[next++]!();
    if (next < waiting.length) setImmediate(letOneIn);
    else waiting.length = next = 0;
  };
  return () =>
    new Promise((resolve) => {
      if (waiting.push(resolve) === 1) setImmediate(letOneIn);
    });
}
