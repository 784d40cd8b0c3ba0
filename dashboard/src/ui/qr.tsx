// Shows a QR code that the server drew as SVG; nothing of it is trusted but paths, rectangles and their geometry.

import { onMount, type JSX } from "solid-js";

const allowed = new Map([
  ["svg", ["viewBox"]],
  ["g", ["transform"]],
  ["rect", ["x", "y", "width", "height", "fill"]],
  ["path", ["d", "fill", "transform", "stroke", "stroke-width"]],
]);

function rebuild(source: Element): Element | null {
  const attributes = allowed.get(source.localName);
  if (attributes === undefined) return null;
  const element = document.createElementNS("http://www.w3.org/2000/svg", source.localName);
  for (const name of attributes) {
    const value = source.getAttribute(name);
    if (value !== null) element.setAttribute(name, value);
  }
  for (const child of source.children) {
    const copy = rebuild(child);
    if (copy !== null) element.append(copy);
  }
  return element;
}

export function QrCode(props: { svg: string; label: string }): JSX.Element {
  let host!: HTMLDivElement;
  onMount(() => {
    const parsed = new DOMParser().parseFromString(props.svg, "image/svg+xml").documentElement;
    const svg = rebuild(parsed);
    if (svg !== null) host.append(svg);
  });
  return <div ref={host} class="qr" role="img" aria-label={props.label} />;
}
