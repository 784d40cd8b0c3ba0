// What the two database engines have in common: their names and the errors every query file may meet.

export type Engine = "sqlite" | "postgres";

/** A row that must be unique exists already. `columns` are the columns of the violated key, in its order. */
export class UniqueViolation extends Error {
  constructor(
    readonly table: string,
    readonly columns: readonly string[],
    cause: unknown,
  ) {
    super(`a row of ${table} with the same ${columns.join(", ")} exists`, { cause });
    this.name = "UniqueViolation";
  }
}

/** A row is still referenced by others, or refers to one that does not exist. */
export class ForeignKeyViolation extends Error {
  constructor(cause: unknown) {
    super("a row that others refer to would be missing", { cause });
    this.name = "ForeignKeyViolation";
  }
}

/**
 * The engine can't store or read now: a full or broken disk, no connection, a deadlock that it ended. What was under way is undone, unless
 * it `mayBeDone`: it was to be committed, and the answer is lost. Later it may work again.
 */
export class StorageFailure extends Error {
  constructor(
    cause: unknown,
    readonly mayBeDone = false,
  ) {
    super(`the database can't be used now: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "StorageFailure";
  }
}

/** Whether `error` says that a row with this value exists (in `column`, when given). The same for both engines. */
export function isUniqueViolation(error: unknown, column?: string): error is UniqueViolation {
  return error instanceof UniqueViolation && (column === undefined || error.columns.includes(column));
}

/** The database is newer than the program, too old an engine, or not a database at all. */
export class DatabaseUnusable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DatabaseUnusable";
  }
}
