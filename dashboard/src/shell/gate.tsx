// The frame of pages before a session exists: one card, centred.

import type { JSX } from "solid-js";
import { BrandMark } from "./brand.tsx";

export function Gate(props: { wide?: boolean; children: JSX.Element }): JSX.Element {
  return (
    <div class="gate">
      <main class="gate-main">
        <div class={props.wide ? "gate-card gate-card-wide" : "gate-card"}>
          <div class="brand">
            <BrandMark />
            <span>digit-link</span>
          </div>
          {props.children}
        </div>
      </main>
      <footer class="gate-foot">{location.host}</footer>
    </div>
  );
}
