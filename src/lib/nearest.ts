// What somebody who mistyped a word most likely meant.

/** The candidate that `word` was most likely meant to be, or null when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = (word.length < 3 ? 1 : word.length < 8 ? 2 : 3) + 1;
  for (const candidate of candidates) {
    const prefixed = word.length >= 2 && candidate.startsWith(word);
    const distance = prefixed ? 0.5 : editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours needed to turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  const cell = new Int32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => cell[i * width + j] ?? 0;
  for (let i = 0; i <= a.length; i++) {
    for (let j = 0; j <= b.length; j++) {
      if (i === 0 || j === 0) {
        cell[i * width + j] = i + j;
        continue;
      }
      const same = a[i - 1] === b[j - 1];
      let value = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        value = Math.min(value, at(i - 2, j - 2) + 1);
      cell[i * width + j] = value;
    }
  }
  return at(a.length, b.length);
}
