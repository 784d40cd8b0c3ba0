// The frame while the server still tells who is logged in: its places stand, nothing jumps when they are filled.

import { For, type JSX } from "solid-js";
import { Bar, SkeletonPage } from "../ui/skeleton.tsx";
import { BrandMark } from "./brand.tsx";

/** Links per group of the side bar, about. */
const groups = [3, 3, 3, 1];

function Brand(): JSX.Element {
  return (
    <span class="brand">
      <BrandMark />
      <span>digit-link</span>
    </span>
  );
}

export function FrameSkeleton(): JSX.Element {
  return (
    <div class="shell">
      <header class="topbar">
        <Brand />
      </header>
      <aside class="sidebar" aria-hidden="true">
        <Brand />
        <div class="nav">
          <For each={groups}>
            {(links) => (
              <div>
                <For each={Array.from({ length: links }, (_, link) => `${5 + ((link * 3) % 4)}rem`)}>
                  {(width) => (
                    <p class="nav-link">
                      <Bar width={width} />
                    </p>
                  )}
                </For>
              </div>
            )}
          </For>
        </div>
      </aside>
      <main class="content">
        <SkeletonPage />
      </main>
    </div>
  );
}
