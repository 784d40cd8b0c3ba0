// The search of a list that is held in memory: words that must all be there, or, with NOT or - in front, must not.

/** Whether a text (lower case) passes. An empty search, and a NOT with nothing after it, pass everything. */
export function wordFilter(search: string): (text: string) => boolean {
  const wanted: string[] = [];
  const unwanted: string[] = [];
  let negated = false;
  for (const word of search.split(/\s+/).filter(Boolean)) {
    if (word === "NOT") {
      negated = !negated;
      continue;
    }
    const isMarked = word.length > 1 && word.startsWith("-");
    const bare = (isMarked ? word.slice(1) : word).toLowerCase();
    (negated === isMarked ? wanted : unwanted).push(bare);
    negated = false;
  }
  return (text) => wanted.every((word) => text.includes(word)) && !unwanted.some((word) => text.includes(word));
}
