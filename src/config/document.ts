// Writes docs/configuration.md from the table of settings. Run as a program it updates the file.

import { settingGroups } from "./settings.ts";
import { defaultText, type Setting } from "./setting.ts";

/** The whole page, ending in a newline. */
export function renderConfigurationDoc(): string {
  const lines = [
    "# Configuration",
    "",
    "Generated from the table of settings by `bun src/config/document.ts`; a test compares the two.",
    "",
    'Each setting is an environment variable, a line of `digit-link.toml` (`db_path = "data/digit-link.db"`) and a flag',
    "of `digit-link server` (`--db-path data/digit-link.db`). Flags win over the environment, the environment over the",
    "file, the file over the defaults. A value that is not allowed stops the start with one sentence. An empty variable",
    "counts as not set. Durations take `ms`, `s`, `m`, `h`, `d` (a bare number is ms), sizes take `KiB`, `MiB`, `GiB`.",
  ];
  for (const group of settingGroups) {
    lines.push("", `## ${group.title}`, "", "| variable | meaning | allowed | default |", "| --- | --- | --- | --- |");
    for (const setting of Object.values(group.settings) as Setting<unknown>[]) lines.push(row(setting));
  }
  return `${lines.join("\n")}\n`;
}

function row(setting: Setting<unknown>): string {
  const { name, doc, kind } = setting;
  return `| ${[`\`${name}\``, doc, kind.allowed, defaultText(setting, "`")].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

if (import.meta.main)
  await Bun.write(new URL("../../docs/configuration.md", import.meta.url).pathname, renderConfigurationDoc());
