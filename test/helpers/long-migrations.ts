// Migrations after the real ones that take a while each, so that a test can kill a process in the middle of one.

import { type Migration, migrations } from "../../src/db/migrate.ts";

const steps = 60;

/** The real migrations, then many that each write two rows with work between them. `begun` hears of each. */
export function longMigrations(begun: (step: number) => void = () => {}): { name: string; statements: Migration }[] {
  const long = Array.from({ length: steps }, (_, i) => {
    const step = i + 1;
    const row = (part: string): string =>
      `insert into settings (key, value, updated_at) values ('step-${step}.${part}', 'x', 0)`;
    const work = `with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000) select count(*) from n`;
    return {
      name: `long ${step}`,
      statements: () => {
        begun(step);
        return [row("a"), work, work, row("b")];
      },
    };
  });
  return [...migrations, ...long];
}
