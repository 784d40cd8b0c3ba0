// The parts every page is made of: header, cards, facts, tabs, numbers.

import { A, useLocation } from "@solidjs/router";
import { createEffect, createUniqueId, For, on, Show, type JSX } from "solid-js";
import { Icon } from "./icon.tsx";

/** A page: header with title and actions, then its cards. Sets the tab's title. */
export function Page(props: {
  title: string;
  /** Beside the title, for example the state of the thing. */
  aside?: JSX.Element;
  lead?: JSX.Element;
  crumbs?: { href: string; label: string }[];
  actions?: JSX.Element;
  narrow?: boolean;
  children: JSX.Element;
}): JSX.Element {
  createEffect(() => {
    document.title = `${props.title} · digit-link`;
  });
  return (
    <div class={props.narrow ? "page page-narrow" : "page"}>
      <header class="page-head">
        <div class="page-head-text">
          <Show when={props.crumbs}>
            {(crumbs) => (
              <nav class="crumbs" aria-label="Breadcrumb">
                <For each={crumbs()}>
                  {(crumb) => (
                    <A href={crumb.href}>
                      <Icon name="chevron" small />
                      {crumb.label}
                    </A>
                  )}
                </For>
              </nav>
            )}
          </Show>
          <h1 tabindex="-1">
            {props.title} {props.aside}
          </h1>
          <Show when={props.lead}>
            <p class="page-lead">{props.lead}</p>
          </Show>
        </div>
        <Show when={props.actions}>
          <div class="row">{props.actions}</div>
        </Show>
      </header>
      {props.children}
    </div>
  );
}

/** A titled surface. `flush` lets a table reach its edges. */
export function Card(props: {
  title?: string;
  /** Before the title: the state it tells, as a mark. */
  mark?: JSX.Element;
  lead?: JSX.Element;
  actions?: JSX.Element;
  flush?: boolean;
  danger?: boolean;
  children: JSX.Element;
}): JSX.Element {
  const id = createUniqueId();
  return (
    <section
      class={`card${props.flush ? " card-flush" : ""}${props.danger ? " card-danger" : ""}`}
      aria-labelledby={props.title ? id : undefined}
    >
      <Show when={props.title || props.actions}>
        <div class="card-head">
          <div>
            <Show when={props.title}>
              <h2 id={id} class="card-title">
                {props.mark}
                {props.title}
              </h2>
            </Show>
            <Show when={props.lead}>
              <p>{props.lead}</p>
            </Show>
          </div>
          <Show when={props.actions}>
            <div class="row">{props.actions}</div>
          </Show>
        </div>
      </Show>
      <div class="card-body">{props.children}</div>
    </section>
  );
}

/** A pair of name and value inside <dl class="facts">. */
export function Fact(props: { name: string; children: JSX.Element }): JSX.Element {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

/** One big number inside <dl class="stats">. */
export function Stat(props: {
  name: string;
  value: JSX.Element;
  note?: JSX.Element;
  /** A picture in the corner; the number says the same. */
  children?: JSX.Element;
}): JSX.Element {
  return (
    <div class="stat">
      <dt>{props.name}</dt>
      <dd class="stat-value">{props.value}</dd>
      <Show when={props.note}>
        <dd class="stat-note">{props.note}</dd>
      </Show>
      {props.children}
    </div>
  );
}

/** Links between the parts of one thing; each has its own address. */
export function Tabs(props: { label: string; tabs: { href: string; label: string }[] }): JSX.Element {
  const location = useLocation();
  let nav!: HTMLElement;
  createEffect(
    on(
      () => location.pathname,
      () =>
        // On a phone the row of tabs scrolls: where one is must be in sight.
        queueMicrotask(() => {
          const current = nav.querySelector<HTMLElement>("[aria-current]");
          if (current) nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.clientWidth) / 2;
        }),
    ),
  );
  return (
    <nav class="tabs" aria-label={props.label} ref={nav}>
      <For each={props.tabs}>
        {(tab) => (
          <a class="tab" href={tab.href} aria-current={location.pathname === tab.href ? "page" : undefined}>
            {tab.label}
          </a>
        )}
      </For>
    </nav>
  );
}

/** A dangerous action with its consequence in words. */
export function DangerRow(props: { title: string; text: JSX.Element; children: JSX.Element }): JSX.Element {
  return (
    <div class="danger-row">
      <div class="grow">
        <h3>{props.title}</h3>
        <p>{props.text}</p>
      </div>
      {props.children}
    </div>
  );
}
