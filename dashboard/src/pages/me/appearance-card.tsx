// How the dashboard looks in this browser.

import { For, type JSX } from "solid-js";
import { ChoiceCards } from "../../ui/choice.tsx";
import { Card } from "../../ui/page.tsx";
import { accent, accents, scheme, setAccent, setScheme } from "../../ui/theme.ts";

export function AppearanceCard(): JSX.Element {
  return (
    <Card title="Appearance" lead="Kept in this browser only.">
      <div class="stack-loose">
        <ChoiceCards
          legend="Light or dark"
          value={scheme()}
          onValue={setScheme}
          options={[
            { value: "system", label: "As the system" },
            { value: "light", label: "Light" },
            { value: "dark", label: "Dark" },
          ]}
        />
        <div class="stack-tight" role="group" aria-label="Accent">
          <span class="field-label">Accent</span>
          <div class="themes">
            <For each={accents}>
              {(one) => (
                <button
                  type="button"
                  class="theme-choice"
                  aria-pressed={accent() === one.value}
                  onClick={() => setAccent(one.value)}
                >
                  <span class="theme-swatch" data-swatch={one.value} aria-hidden="true" />
                  {one.label}
                </button>
              )}
            </For>
          </div>
        </div>
      </div>
    </Card>
  );
}
