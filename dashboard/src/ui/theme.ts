// Light, dark or the system's choice, and the accent: kept in this browser (no secret is), applied before the first paint.

import { createSignal } from "solid-js";

export type Scheme = "system" | "light" | "dark";
export type Accent = "iris" | "lagoon" | "ember" | "orchid";
export const accents: readonly { value: Accent; label: string }[] = [
  { value: "iris", label: "Iris" },
  { value: "lagoon", label: "Lagoon" },
  { value: "ember", label: "Ember" },
  { value: "orchid", label: "Orchid" },
];

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    // Storage may be switched off; the choice then lasts as long as the page.
    return null;
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // As above.
  }
}

const readScheme = (): Scheme => {
  const value = stored("dl-scheme");
  return value === "light" || value === "dark" ? value : "system";
};
const readAccent = (): Accent => accents.find((accent) => accent.value === stored("dl-accent"))?.value ?? "iris";

const [scheme, setSchemeSignal] = createSignal<Scheme>(readScheme());
const [accent, setAccentSignal] = createSignal<Accent>(readAccent());
export { accent, scheme };

function apply(): void {
  const root = document.documentElement;
  if (scheme() === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = scheme();
  root.dataset["accent"] = accent();
}

/** Called once, first thing. Another tab's choice is followed. */
export function startTheme(): void {
  apply();
  addEventListener("storage", () => {
    setSchemeSignal(readScheme());
    setAccentSignal(readAccent());
    apply();
  });
}

export function setScheme(value: Scheme): void {
  setSchemeSignal(value);
  store("dl-scheme", value);
  apply();
}

export function setAccent(value: Accent): void {
  setAccentSignal(value);
  store("dl-accent", value);
  apply();
}
