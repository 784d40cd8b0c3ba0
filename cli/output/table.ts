// Rows under a heading, aligned; text from the database cannot break out of its cell.

import { safe } from "./safe.ts";
import type { Style } from "./style.ts";

/** Lines of a table with a dim heading; the last column is not padded. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[], style: Style): string[] {
  const cells = rows.map((row) => row.map(safe));
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => Bun.stringWidth(row[column] ?? ""))),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell)),
      )
      .join("  ");
  return [style.dim(line(heading)), ...cells.map(line)].map((text) => text.trimEnd());
}
