// Bytes as they are shown: as text where they are text, else the first of them in hex.

/** `isWhole` false: they may end in the middle of a character. Of what is no text the first `most` bytes are shown. */
export function shownBytes(
  bytes: Buffer,
  isWhole: boolean,
  most: number,
): { text: string; hex: null } | { text: null; hex: string } {
  const text = textOf(bytes, isWhole);
  return text === null ? { text, hex: bytes.subarray(0, most).toString("hex") } : { text, hex: null };
}

/** Null: it is not text in UTF-8. `isWhole` false: it may end in the middle of a character. */
function textOf(bytes: Buffer, isWhole: boolean): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !isWhole });
    // eslint-disable-next-line no-control-regex
    return /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? null : text;
  } catch {
    // Not UTF-8.
    return null;
  }
}
