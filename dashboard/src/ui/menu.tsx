// A button with a menu of actions, on the browser's popover: arrows move, Esc and a click beside it close.

import { createSignal, createUniqueId, For, Show, type JSX } from "solid-js";
import { keepPlaced } from "./anchored.ts";
import { Icon, type IconName } from "./icon.tsx";

export interface MenuItem {
  label: string;
  icon?: IconName;
  danger?: boolean;
  /** A line above this item. */
  apart?: boolean;
  onSelect: () => void;
}

/** `trigger` is drawn inside the button; `label` names the menu. */
export function Menu(props: {
  label: string;
  trigger: JSX.Element;
  class: string;
  items: MenuItem[];
  above?: boolean;
  /** The trigger shows no words, so the button needs the label itself. */
  bare?: boolean;
}): JSX.Element {
  const id = createUniqueId();
  const [open, setOpen] = createSignal(false);
  /** As they were when it opened: on a live page they would be others under the focus. */
  const [items, setItems] = createSignal<MenuItem[]>([]);
  let button!: HTMLButtonElement;
  let panel!: HTMLDivElement;

  const place = () => {
    const anchor = button.getBoundingClientRect();
    if (anchor.bottom < 0 || anchor.top > innerHeight) return panel.hidePopover();
    const width = panel.offsetWidth;
    const height = panel.offsetHeight;
    const left = Math.min(Math.max(8, anchor.right - width), innerWidth - width - 8);
    const below = anchor.bottom + 4;
    const top = props.above || below + height > innerHeight - 8 ? anchor.top - height - 4 : below;
    panel.style.left = `${props.above ? Math.max(8, anchor.left) : left}px`;
    panel.style.top = `${Math.max(8, top)}px`;
  };
  keepPlaced(open, place);
  const focusItem = (step: number) => {
    const items = [...panel.querySelectorAll<HTMLElement>('[role="menuitem"]')];
    const now = items.indexOf(document.activeElement as HTMLElement);
    items[(now + step + items.length) % items.length]?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      focusItem(step);
    } else if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      const items = panel.querySelectorAll<HTMLElement>('[role="menuitem"]');
      items[event.key === "Home" ? 0 : items.length - 1]?.focus();
    } else if (event.key === "Tab") {
      panel.hidePopover();
    }
  };

  return (
    <>
      <button
        ref={button}
        type="button"
        class={props.class}
        aria-label={props.bare ? props.label : undefined}
        aria-haspopup="menu"
        aria-expanded={open()}
        popovertarget={id}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") {
            event.preventDefault();
            if (panel.matches(":popover-open")) focusItem(1);
            else panel.showPopover();
          }
        }}
      >
        {props.trigger}
      </button>
      <div
        ref={panel}
        id={id}
        class="menu"
        role="menu"
        aria-label={props.label}
        popover="auto"
        onKeyDown={onKeyDown}
        // The first moment at which it has a size, before it is painted.
        on:focusin={place}
        on:beforetoggle={(event: ToggleEvent) => {
          if (event.newState !== "open") return;
          setItems(props.items);
          // Not at `toggle`, a task later: an arrow that is typed at once would find the focus still on the button.
          panel.querySelector<HTMLElement>('[role="menuitem"]')?.setAttribute("autofocus", "");
        }}
        on:toggle={(event: ToggleEvent) => setOpen(event.newState === "open")}
      >
        <For each={items()}>
          {(item) => (
            <>
              <Show when={item.apart}>
                <hr class="menu-line" />
              </Show>
              <button
                type="button"
                role="menuitem"
                tabindex="-1"
                class={item.danger ? "menu-item menu-item-danger" : "menu-item"}
                onClick={() => {
                  panel.hidePopover();
                  item.onSelect();
                }}
              >
                <Show when={item.icon}>{(name) => <Icon name={name()} />}</Show>
                {item.label}
              </button>
            </>
          )}
        </For>
      </div>
    </>
  );
}

/** The three dots at the end of a row. */
export function RowMenu(props: { label: string; items: MenuItem[] }): JSX.Element {
  return (
    <Menu
      label={props.label}
      class="button button-ghost button-small button-icon"
      bare
      trigger={<Icon name="more" />}
      items={props.items}
    />
  );
}
