// Characters that can't be seen, or that turn the order of others round: found, and written as JSON and JavaScript escape them; pure.

/** Of a text no more runs than this are told apart: each is an element of the page, and somebody could send a million. */
const mostRuns = 5_000;

/**
 * Controls, formats (directions, zero widths), separators, spaces that are none of the usual, and whatever else has no shape; but not tab, line
 * end and ideographic space, nor what joins the parts of an emoji.
 */
const unseen =
  /(?:\r(?!\n)|(?![\t\n\r \u3000]|\ufe0f(?<=\p{Extended_Pictographic}\ufe0f)|\u200d(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]\u200d)(?=\p{Extended_Pictographic}))[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}\u2800])+/gu;

function escaped(run: string): string {
  let text = "";
  for (let at = 0; at < run.length; at++) text += `\\u${run.charCodeAt(at).toString(16).padStart(4, "0")}`;
  return text;
}

/** `text` with escapes in their place: the same in a string of JSON or JavaScript, and nothing in it that can't be seen. */
export const escapeUnseen = (text: string): string => text.replaceAll(unseen, escaped);

/** The escapes of those in `text`, each once, of the first few. */
export function unseenIn(text: string, most = 5): string[] {
  const found = new Set<string>();
  for (const [run] of text.matchAll(unseen)) {
    for (const character of run) found.add(escaped(character));
    if (found.size >= most) break;
  }
  return [...found].slice(0, most);
}

/** A piece of a text: `escape` is null for what can be seen. */
export interface Piece {
  text: string;
  escape: string | null;
}

/** `text` in pieces, which make all of it; behind very many runs the rest stands escaped in the last one. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { 0: run, index } of text.matchAll(unseen)) {
    if (pieces.length > 2 * mostRuns) return [...pieces, { text: escapeUnseen(text.slice(at)), escape: null }];
    if (index > at) pieces.push({ text: text.slice(at, index), escape: null });
    pieces.push({ text: run, escape: escaped(run) });
    at = index + run.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), escape: null });
  return pieces;
}
