// Copying bytes without making views: a view per request would cost more than the copy (its buffer must be tracked and swept).

/** Copies `bytes[start..end)` to `out` at `at`; returns the offset behind. */
export function copyBytes(bytes: Uint8Array, start: number, end: number, out: Buffer, at: number): number {
  if (bytes instanceof Buffer) bytes.copy(out, at, start, end);
  else out.set(bytes.subarray(start, end), at);
  return at + end - start;
}
