// One of many, searched on the server while one types: an input with a list below it (ARIA's combobox), on the browser's popover.

import { createEffect, createSignal, createUniqueId, For, on, Show, type JSX } from "solid-js";
import { keepPlaced } from "./anchored.ts";
import { Icon } from "./icon.tsx";

export interface ComboboxOption {
  value: string;
  label: string;
  hint?: string | undefined;
}

export interface ComboboxProps {
  value: string;
  /** What the chosen value is called; "" while that is not known. */
  text: string;
  /** What no choice is called; the first thing to choose. */
  none: string;
  options: readonly ComboboxOption[];
  /** The text that the options were found by; null while they are being looked for. */
  answered: string | null;
  /** Below the options: how many more there are, that none was found, that it is loading, what failed. */
  note: string | null;
  onType: (text: string) => void;
  onValue: (value: string, label: string) => void;
  /** Called when the list opens, the time to ask for options. */
  onOpen?: () => void;
  /** What was typed may be chosen as it is, when nothing was found by it. */
  takesTyped?: boolean;
  id?: string;
  label?: string;
  disabled?: boolean;
  describedBy?: string | undefined;
  invalid?: "true" | undefined;
}

export function Combobox(props: ComboboxProps): JSX.Element {
  const id = createUniqueId();
  const [open, setOpen] = createSignal(false);
  const [typed, setTyped] = createSignal<string | null>(null);
  const [active, setActive] = createSignal(-1);
  /** Enter was pressed before the options for what is typed were there. */
  let entered = false;
  let input!: HTMLInputElement;
  let panel!: HTMLDivElement;
  const all = (): ComboboxOption[] => [
    ...(typed() ? [] : [{ value: "", label: props.none }]),
    ...props.options.filter(({ value }) => value !== ""),
  ];
  const optionId = (index: number) => `${id}-${index}`;

  const show = () => {
    if (open() || props.disabled) return;
    props.onOpen?.();
    panel.showPopover();
    setOpen(true);
  };
  /** Below the input, or above it where there is no room, and inside of the window. */
  const place = () => {
    const anchor = input.getBoundingClientRect();
    panel.style.minWidth = `${anchor.width}px`;
    const below = innerHeight - anchor.bottom > panel.offsetHeight + 8 || anchor.top < panel.offsetHeight + 8;
    panel.style.top = `${below ? anchor.bottom + 4 : anchor.top - panel.offsetHeight - 4}px`;
    panel.style.left = `${Math.max(8, Math.min(anchor.left, innerWidth - panel.offsetWidth - 8))}px`;
  };
  const hide = () => {
    if (!open()) return;
    panel.hidePopover();
    setOpen(false);
    setTyped(null);
    setActive(-1);
    entered = false;
    props.onType("");
  };
  const choose = (option: ComboboxOption | undefined) => {
    if (option === undefined) return;
    props.onValue(option.value, option.label);
    hide();
  };
  const move = (step: number) => {
    show();
    const count = all().length;
    if (count > 0) setActive((active() + step + count) % count);
  };
  const isAnswered = () => typed() === null || typed()?.trim() === props.answered;
  const enter = () => {
    const text = typed()?.trim() ?? "";
    if (!isAnswered()) entered = true;
    else if (active() < 0 && props.takesTyped && text !== "") choose({ value: text, label: text });
    else choose(all()[active()]);
  };
  // What was found by the letters typed so far: Enter takes the first, unless an arrow chose another.
  createEffect(
    on(
      [() => props.options, isAnswered],
      () => {
        setActive(typed() && isAnswered() && props.options.length > 0 ? 0 : -1);
        if (entered && isAnswered()) {
          entered = false;
          enter();
        }
      },
      { defer: true },
    ),
  );
  // More options, more room.
  createEffect(() => {
    if (open() && all().length >= 0 && props.note !== undefined) place();
  });
  keepPlaced(open, place);
  createEffect(() => {
    if (active() >= 0) document.getElementById(optionId(active()))?.scrollIntoView({ block: "nearest" });
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      move(step);
    } else if (event.key === "Enter" && open()) {
      // Inside of a form, Enter chooses and does not send.
      event.preventDefault();
      enter();
    } else if (event.key === "Escape" && open()) {
      event.preventDefault();
      event.stopPropagation();
      hide();
    } else if (event.key === "Tab") hide();
    else if (typed() === null && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      // What is chosen gives way to what is typed.
      input.select();
    }
  };

  return (
    <span class="combobox select">
      <input
        ref={input}
        id={props.id}
        type="text"
        class="input"
        role="combobox"
        autocomplete="off"
        spellcheck={false}
        aria-label={props.label}
        aria-autocomplete="list"
        aria-expanded={open()}
        aria-controls={`${id}-list`}
        aria-activedescendant={open() && active() >= 0 ? optionId(active()) : undefined}
        aria-describedby={props.describedBy}
        aria-invalid={props.invalid}
        disabled={props.disabled}
        placeholder={props.value === "" ? props.none : "…"}
        value={typed() ?? props.text}
        onInput={(event) => {
          setTyped(event.currentTarget.value);
          entered = false;
          props.onType(event.currentTarget.value.trim());
          show();
        }}
        onClick={() => {
          input.select();
          show();
        }}
        onBlur={hide}
        onKeyDown={onKeyDown}
      />
      <Icon name="chevron" small />
      <div ref={panel} class="menu combobox-panel" popover="manual">
        <ul id={`${id}-list`} role="listbox" aria-label={props.label ?? props.none}>
          <For each={open() ? all() : []}>
            {(option, index) => (
              <li
                id={optionId(index())}
                role="option"
                class="combobox-option"
                aria-selected={option.value === props.value}
                data-active={index() === active() ? "" : undefined}
                // The focus stays in the input.
                onPointerDown={(event) => event.preventDefault()}
                onClick={() => choose(option)}
              >
                <span>{option.label}</span>
                <Show when={option.hint}>
                  <span class="cell-sub">{option.hint}</span>
                </Show>
              </li>
            )}
          </For>
        </ul>
        <p class="combobox-note" role="status">
          {open() ? props.note : null}
        </p>
      </div>
    </span>
  );
}
