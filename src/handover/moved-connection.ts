// What one thread tells another about a connection that it hands over.

/** A visitor's (or agent's) connection on its way to another thread. The receiver owns `fd` from the moment it is posted. */
export interface MovedConnection {
  /** A duplicate made for the receiver; see handover/ledger for who closes it when the receiver dies. */
  fd: number;
  /** Canonical peer address (no `::ffff:`), read once when the connection was accepted. */
  address: string;
  /** Whether the visitor spoke TLS to us. */
  secure: boolean;
  /** Unread bytes as latin1; they start with a request head (or are empty). */
  unread: string;
  /** `Date.now()` when the connection was accepted. */
  acceptedAtMs: number;
  /** The receiver answers one request and closes: too much was unread to be worth another move. */
  last: boolean;
  /** How often it has moved, this time included. */
  moves: number;
  /** Not a visitor's connection, but the line on which another thread lends this one requests of many (lending/loan-line.ts). */
  lent: boolean;
  /** Only of one that is piped: memory in which its owner says how an answer without a length stands (`SendQueue.endMark`). */
  endMark?: Int32Array;
}
