// Finds settings for people: those that have a word in their name or meaning, as texts.

import { defaultText, type Setting } from "./setting.ts";
import { settingGroups } from "./settings.ts";

/** A setting in words. */
export interface FoundSetting {
  name: string;
  doc: string;
  allowed: string;
  initial: string;
}

/** Settings with `word` in name (`db_path`, `--db-path` and `DB_PATH` are the same) or meaning, in the documentation's groups; all for an empty one. */
export function findSettings(word: string): { title: string; settings: FoundSetting[] }[] {
  const inDoc = word.toLowerCase();
  const inName = inDoc.replace(/^--/, "").replaceAll("-", "_");
  return settingGroups
    .map(({ title, settings }) => ({
      title,
      settings: (Object.values(settings) as Setting<unknown>[])
        .filter(({ name, doc }) => name.toLowerCase().includes(inName) || doc.toLowerCase().includes(inDoc))
        .map((one) => ({ name: one.name, doc: one.doc, allowed: one.kind.allowed, initial: defaultText(one) })),
    }))
    .filter(({ settings }) => settings.length > 0);
}
