// Large deterministic bodies that are never held in memory, and their checksums.

const blockBytes = 64 * 1024;
const block = Buffer.alloc(blockBytes);
// A small generator with a fixed seed (xorshift32): the same bytes in every process.
for (let i = 0, x = 0x9e3779b9; i < blockBytes; i++) {
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  block[i] = x;
}

/** The bytes `[from, to)` of the endless pattern, in pieces of at most 64 KiB; valid as long as you like, don't write. */
export function* patternPieces(from: number, to: number): Generator<Buffer> {
  for (let at = from; at < to;) {
    const offset = at % blockBytes;
    const length = Math.min(blockBytes - offset, to - at);
    yield block.subarray(offset, offset + length);
    at += length;
  }
}

/** The bytes `[from, to)` in one buffer, for small parts. */
export function patternBytes(from: number, to: number): Buffer {
  return Buffer.concat([...patternPieces(from, to)]);
}

const known = new Map<string, string>();

/** SHA-1 (hexadecimal) of the pattern's bytes `[from, to)`. */
export function patternSha1(to: number, from = 0): string {
  const key = `${from}-${to}`;
  let sum = known.get(key);
  if (sum === undefined) {
    const hasher = new Bun.CryptoHasher("sha1");
    for (const piece of patternPieces(from, to)) hasher.update(piece);
    known.set(key, (sum = hasher.digest("hex")));
  }
  return sum;
}
