// What the user typed cannot be meant: one sentence, the nearest suggestion, exit code 2.

/** Ends the program with exit code 2; `message` is one sentence for the user. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
