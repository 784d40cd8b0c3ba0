// The icons, drawn here as 24 px strokes so that nothing is fetched from anywhere.

import type { JSX } from "solid-js";

const paths = {
  overview: "M4 13h6V4H4zM14 20h6v-9h-6zM14 7h6V4h-6zM4 20h6v-3H4z",
  tunnel: "M4 20v-6a8 8 0 0 1 16 0v6M9 20v-5.5a3 3 0 0 1 6 0V20M2 20h20",
  requests: "M3 7h13M13 4l3 3-3 3M21 17H8M11 14l-3 3 3 3",
  building: "M4 21V5l8-2v18M12 9h8v12M3 21h18M8 8v.01M8 12v.01M8 16v.01M16 13v.01M16 17v.01",
  app: "M4 5h16v14H4zM4 9h16M7 7v.01",
  users:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M17.5 14a6.5 6.5 0 0 1 4 6",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4.5 20.5a7.5 7.5 0 0 1 15 0",
  key: "M8 20a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9M11.200 12.300 20 3.500M16.500 7l3 3M13.200 10.300l2.300 2.300",
  list: "M9 6h12M9 12h12M9 18h12M4 6h.01M4 12h.01M4 18h.01",
  shield: "M12 3 4.5 6v5.5c0 4.6 3.1 7.9 7.5 9.5 4.4-1.6 7.5-4.900 7.500-9.500V6zM9 12l2.200 2.200L15.200 10",
  audit: "M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h5",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M16 16l5 5",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.500l4.500 4.500L19 7.500",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  menu: "M4 7h16M4 12h16M4 17h16",
  chevron: "M6 9l6 6 6-6",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  warn: "M12 4 2.500 20h19zM12 10v4.500M12 17.300v.01",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 11v5.500M12 7.800v.01",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5.500M14 11v5.500",
  edit: "M4 20h4L19.500 8.500l-4-4L4 16zM13.500 6.500l4 4",
  refresh: "M20 11a8 8 0 0 0-14.500-4L3 9.500M3 4v5.500h5.500M4 13a8 8 0 0 0 14.500 4l2.500-2.500M21 20v-5.500h-5.500",
  pause: "M8 5v14M16 5v14",
  play: "M7 4.500v15l12-7.500z",
  eye: "M2 12s3.500-7 10-7 10 7 10 7-3.500 7-10 7-10-7-10-7M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6",
  eyeOff:
    "M4 4l16 16M10 5.200A10 10 0 0 1 12 5c6.500 0 10 7 10 7a17 17 0 0 1-3 3.800M6.500 6.800A16.500 16.500 0 0 0 2 12s3.500 7 10 7a10 10 0 0 0 4.500-1.100",
  logout: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  gauge: "M4 19a9.500 9.500 0 1 1 16 0M12 15l4.500-5M4 19h3M17 19h3",
  globe:
    "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M3 12h18M12 3c2.500 2.600 3.700 5.600 3.700 9s-1.200 6.400-3.700 9c-2.500-2.600-3.700-5.600-3.700-9S9.500 5.600 12 3",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  download: "M12 4v11M7 11l5 5 5-5M4 20h16",
  print: "M7 9V3h10v6M7 17H4V9h16v8h-3M7 14h10v7H7z",
  pulse: "M3 12h4l3-8 4 16 3-8h4",
  plug: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
  filter: "M4 5h16l-6 7.500V19l-4 1.500v-8z",
} as const;

export type IconName = keyof typeof paths;

/** A decorative icon: whatever holds it must carry the words. */
export function Icon(props: { name: IconName; small?: boolean }): JSX.Element {
  return (
    <svg class={props.small ? "icon icon-small" : "icon"} viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[props.name]} />
    </svg>
  );
}
