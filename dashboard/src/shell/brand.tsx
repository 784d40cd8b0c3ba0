// The mark: two ends and the tunnel between them.

import type { JSX } from "solid-js";

export function BrandMark(): JSX.Element {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect class="brand-mark" width="32" height="32" rx="8" />
      <path
        d="M8.500 21V18a7.500 7.500 0 0 1 15 0v3"
        fill="none"
        stroke="#fff"
        stroke-width="2.600"
        stroke-linecap="round"
      />
      <circle cx="8.500" cy="22" r="2.600" fill="#fff" />
      <circle cx="23.500" cy="22" r="2.600" fill="#fff" />
    </svg>
  );
}
