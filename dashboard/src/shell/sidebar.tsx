// The side bar: where one may go, and who is logged in.

import { A, useLocation, useNavigate } from "@solidjs/router";
import { For, Show, type JSX } from "solid-js";
import { canManage, isAdmin, logOut, me, portal } from "../api/session.ts";
import { Icon, type IconName } from "../ui/icon.tsx";
import { Menu } from "../ui/menu.tsx";
import { showShortcuts, type Place } from "../ui/shortcuts.tsx";
import { attempt } from "../ui/toast.tsx";
import { BrandMark } from "./brand.tsx";

interface Link {
  path: string;
  label: string;
  icon: IconName;
  shown?: () => boolean;
  /** After g, it leads here. */
  key?: string;
}

const inPortal = () => portal() !== "none";
const isOrg = () => portal() === "org";

const groups: { title: string; links: Link[] }[] = [
  {
    title: "Live",
    links: [
      { path: "overview", key: "o", label: "Overview", icon: "overview" },
      { path: "tunnels", key: "t", label: "Tunnels", icon: "tunnel", shown: inPortal },
      { path: "requests", key: "r", label: "Requests", icon: "requests", shown: inPortal },
    ],
  },
  {
    title: "Manage",
    links: [
      { path: "organizations", label: "Organizations", icon: "building", shown: isAdmin },
      { path: "applications", key: "a", label: "Applications", icon: "app", shown: inPortal },
      { path: "accounts", label: "Accounts", icon: "users", shown: () => isAdmin() || (isOrg() && canManage()) },
    ],
  },
  {
    title: "Access",
    links: [
      { path: "policy", label: "Visitor policy", icon: "lock", shown: isOrg },
      { path: "limits", label: "Limits", icon: "gauge", shown: isOrg },
      { path: "keys", label: "API keys", icon: "key", shown: inPortal },
      { path: "whitelists", label: "Agent whitelists", icon: "shield", shown: inPortal },
    ],
  },
  {
    title: "Record",
    links: [
      {
        path: "audit",
        key: "l",
        label: "Audit log",
        icon: "audit",
        shown: () => isAdmin() || (isOrg() && canManage()),
      },
      { path: "settings", label: "Settings", icon: "settings", shown: () => isOrg() && canManage() },
    ],
  },
];

const isShown = (link: Link): boolean => link.shown?.() ?? true;

/** Where this account may go by keys. */
export function places(): Place[] {
  const links = groups
    .flatMap((group) => group.links)
    .flatMap((link) => (link.key !== undefined && isShown(link) ? [{ ...link, key: link.key }] : []));
  return [...links, { key: "m", path: "me", label: "My account" }].map(({ key, path, label }) => {
    return { key, path: `/dashboard/${path}`, label };
  });
}

/** `note` stands at its foot. `onLink` runs when one of its links is followed, even to where one is. */
export function Sidebar(props: { open: boolean; onLink: () => void; note: JSX.Element }): JSX.Element {
  const location = useLocation();
  const account = () => me()?.account;
  const current = (path: string) => location.pathname.split("/")[2] === path;
  const shown = (links: Link[]) => links.filter(isShown);
  return (
    <aside
      class="sidebar"
      id="sidebar"
      data-open={props.open}
      onClick={({ target }) => {
        if (target.closest("a") !== null) props.onLink();
      }}
    >
      <A class="brand" href="/dashboard/overview">
        <BrandMark />
        <span>
          digit-link
          <small>{isAdmin() ? "Server administration" : (me()?.organization?.name ?? "No organization")}</small>
        </span>
      </A>
      <nav class="nav" aria-label="Main">
        <For each={groups}>
          {(group) => (
            <Show when={shown(group.links).length > 0}>
              <div>
                <p class="nav-title">{group.title}</p>
                <ul>
                  <For each={shown(group.links)}>
                    {(link) => (
                      <li>
                        <a
                          class="nav-link"
                          href={`/dashboard/${link.path}`}
                          aria-current={current(link.path) ? "page" : undefined}
                        >
                          <Icon name={link.icon} />
                          {link.label}
                        </a>
                      </li>
                    )}
                  </For>
                </ul>
              </div>
            </Show>
          )}
        </For>
      </nav>
      <div class="sidebar-foot">
        {props.note}
        <AccountMenu name={account()?.username ?? ""} />
      </div>
    </aside>
  );
}

function AccountMenu(props: { name: string }): JSX.Element {
  const navigate = useNavigate();
  const role = () => {
    if (isAdmin()) return "System admin";
    if (portal() === "none") return "No organization";
    return canManage() ? "Organization admin" : "Member";
  };
  return (
    <Menu
      label="Account"
      class="who"
      above
      trigger={
        <>
          <span class="avatar" aria-hidden="true">
            {props.name.slice(0, 1)}
          </span>
          <span class="grow">
            <span class="visually-hidden">Account: </span>
            <span class="who-name">{props.name}</span>
            <span class="who-role">{role()}</span>
          </span>
        </>
      }
      items={[
        { label: "My account", icon: "user", onSelect: () => navigate("/dashboard/me") },
        { label: "Appearance", icon: "settings", onSelect: () => navigate("/dashboard/me/appearance") },
        { label: "Keyboard shortcuts", icon: "info", onSelect: showShortcuts },
        { label: "Log out", icon: "logout", apart: true, onSelect: () => void attempt(() => logOut()) },
      ]}
    />
  );
}
