// Copying and reading bytes without making views: a view per request costs more than the copy (its buffer is tracked and swept).

/** Up to here a loop takes less than the call of a native function. */
const fewBytes = 64;

/** Copies `bytes[start..end)` to `out` at `at`, which is in another buffer; returns the offset behind. */
export function copyBytes(bytes: Uint8Array, start: number, end: number, out: Buffer, at: number): number {
  if (end - start <= fewBytes) {
    for (let from = start; from < end; from++) out[at++] = bytes[from]!;
    return at;
  }
  if (bytes instanceof Buffer) bytes.copy(out, at, start, end);
  else out.set(bytes.subarray(start, end), at);
  return at + end - start;
}

/** `bytes[start..end)` as a latin1 string. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString("latin1", start, end);
}
