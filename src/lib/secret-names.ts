// Which header fields hold something that must not be shown unasked.

/** Matches names of fields whose value lets somebody in. Of what ends in `key` only a few are known to let nobody in. */
export const secretName =
  /authorization|^(?:set-)?cookie$|(?<!^(?:idempotency|sec-websocket|surrogate)-)key$|api[-_]?key|token|secret|passw(?:or)?d|signature/i;
