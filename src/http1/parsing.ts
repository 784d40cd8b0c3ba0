// What parsing a head answers, and how large a head may be.

/** Largest head, request line included, and most fields in it; beyond either a head is refused. */
export const maxHeadBytes = 64 * 1024;
export const maxFields = 200;

/** `Head.parse…` answers: the head isn't complete yet. */
export const INCOMPLETE = 0;
/** `Head.parse…` answers: refused, see `Head.error`. */
export const REFUSED = -1;
