// Ports for people: `20000-20099, 20200`.

/** Ranges in rising order; after `most` of them the rest is not named. */
export function portRanges(ports: readonly number[], most = 5): string {
  const ranges: { from: number; to: number }[] = [];
  for (const port of ports.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && port <= last.to + 1) last.to = port;
    else ranges.push({ from: port, to: port });
  }
  const named = ranges.slice(0, most).map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  return named.join(", ") + (ranges.length > most ? " and others" : "");
}
