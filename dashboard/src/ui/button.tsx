// Buttons and links that look like them.

import { A } from "@solidjs/router";
import { Show, splitProps, type JSX } from "solid-js";
import { Icon, type IconName } from "./icon.tsx";

export type ButtonKind = "default" | "primary" | "danger" | "danger-solid" | "ghost";

interface Look {
  kind?: ButtonKind;
  small?: boolean;
  wide?: boolean;
  icon?: IconName;
}

function classOf(look: Look, bare: boolean): string {
  const parts = ["button", `button-${look.kind ?? "default"}`];
  if (look.small) parts.push("button-small");
  if (look.wide) parts.push("button-wide");
  if (bare) parts.push("button-icon");
  return parts.join(" ");
}

type ButtonProps = Look & { busy?: boolean; disabled?: boolean } & JSX.ButtonHTMLAttributes<HTMLButtonElement>;

const ownProps = ["kind", "small", "wide", "icon", "busy", "disabled", "children", "onClick", "type"] as const;

/**
 * A button. `busy` shows that its action runs and keeps it from being pressed twice. Neither that nor `disabled` takes the
 * focus away, as the browser's own `disabled` does: whoever has just saved or turned the last page goes on from there.
 */
export function Button(props: ButtonProps): JSX.Element {
  const [own, rest] = splitProps(props, ownProps);
  return (
    <button
      type={own.type ?? "button"}
      class={classOf(own, false)}
      aria-disabled={own.busy || own.disabled ? "true" : undefined}
      data-off={own.disabled ? "" : undefined}
      onClick={(event) => {
        if (own.busy || own.disabled) {
          event.preventDefault();
          return;
        }
        if (typeof own.onClick === "function") own.onClick(event);
      }}
      {...rest}
    >
      <Show
        when={own.busy}
        fallback={<Show when={own.icon}>{(name) => <Icon name={name()} small={own.small ?? false} />}</Show>}
      >
        <span class="spinner" aria-hidden="true" />
      </Show>
      {own.children}
    </button>
  );
}

type IconButtonProps = Look & { icon: IconName; label: string } & JSX.ButtonHTMLAttributes<HTMLButtonElement>;

/** A button that shows only an icon; `label` is what it is called. */
export function IconButton(props: IconButtonProps): JSX.Element {
  const [own, rest] = splitProps(props, ["kind", "small", "wide", "icon", "label"]);
  return (
    <button
      type="button"
      class={classOf({ ...own, kind: own.kind ?? "ghost" }, true)}
      aria-label={own.label}
      title={own.label}
      {...rest}
    >
      <Icon name={own.icon} small={own.small ?? false} />
    </button>
  );
}

/** A link to another page of the dashboard that looks like a button. */
export function LinkButton(props: Look & { href: string; children: JSX.Element }): JSX.Element {
  return (
    <A href={props.href} class={classOf(props, false)}>
      <Show when={props.icon}>{(name) => <Icon name={name()} small={props.small ?? false} />}</Show>
      {props.children}
    </A>
  );
}
