// The frame of every page behind the log-in: who it is, the side bar, the hosts of dialogs, and the expired session.

import { useIsRouting, useLocation, useNavigate } from "@solidjs/router";
import {
  createEffect,
  createSignal,
  ErrorBoundary,
  lazy,
  on,
  onCleanup,
  onMount,
  Show,
  Suspense,
  type JSX,
  type ParentProps,
} from "solid-js";
import { ApiError } from "../api/client.ts";
import { expired, loadMe, me } from "../api/session.ts";
import { IconButton } from "../ui/button.tsx";
import { Problem } from "../ui/note.tsx";
import { Page } from "../ui/page.tsx";
import { Shortcuts } from "../ui/shortcuts.tsx";
import { SkeletonPage } from "../ui/skeleton.tsx";
import { BrandMark } from "./brand.tsx";
import { FrameSkeleton } from "./frame-skeleton.tsx";
import { keepFocus } from "./keep-focus.ts";
import { LiveNote, NotUpToDate } from "./live-note.tsx";
import { LogInAgain } from "./log-in-again.tsx";
import { places, Sidebar } from "./sidebar.tsx";

const MustEnrol = lazy(() => import("../pages/me/must-enrol.tsx"));

export function Frame(props: ParentProps): JSX.Element {
  const navigate = useNavigate();
  const location = useLocation();
  const [problem, setProblem] = createSignal<unknown>(null);

  const look = async () => {
    setProblem(null);
    try {
      if (me() === null && (await loadMe()) === null) {
        navigate(`/login?next=${encodeURIComponent(location.pathname + location.search)}`, { replace: true });
      }
    } catch (error) {
      setProblem(() => error);
    }
  };
  onMount(() => void look());

  return (
    <Show
      when={me()}
      fallback={
        <Show when={problem()} fallback={<FrameSkeleton />}>
          {(error) => (
            <main class="gate-main">
              <h1 class="visually-hidden">digit-link</h1>
              <Problem error={error()} onRetry={() => void look()} />
            </main>
          )}
        </Show>
      }
    >
      <Inside>{props.children}</Inside>
    </Show>
  );
}

/** In place of a page that could not be loaded or broke; any other page can still be opened. */
function Broken(props: { error: unknown; onLeave: () => void }): JSX.Element {
  const location = useLocation();
  createEffect(on(() => location.pathname, props.onLeave, { defer: true }));
  const unreachable = () => props.error instanceof ApiError;
  const title = () => (unreachable() ? "This page could not be loaded" : "This page broke");
  return (
    <Page title="digit-link">
      <Problem title={title()} error={props.error} onRetry={() => window.location.reload()} />
    </Page>
  );
}

/** Where the side bar is a drawer, as in shell.css. */
const narrowScreen = matchMedia("(max-width: 60rem)");

function Inside(props: ParentProps): JSX.Element {
  const [narrow, setNarrow] = createSignal(narrowScreen.matches);
  const onWidth = () => setNarrow(narrowScreen.matches);
  narrowScreen.addEventListener("change", onWidth);
  onCleanup(() => narrowScreen.removeEventListener("change", onWidth));
  const location = useLocation();
  const isRouting = useIsRouting();
  const [menu, setMenu] = createSignal(false);
  let main!: HTMLElement;
  let menuButton!: HTMLButtonElement;
  /** What is left has no focus to keep. */
  const closeMenu = () => {
    if (menu()) menuButton.focus();
    setMenu(false);
  };
  onMount(() => keepFocus(main));
  createEffect(
    on(
      () => location.pathname,
      () => {
        setMenu(false);
        // A new page starts at its top for keyboard and screen reader, too.
        main.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
      },
      { defer: true },
    ),
  );
  return (
    <div
      class="shell"
      onKeyDown={(event) => {
        if (event.key === "Escape") closeMenu();
      }}
    >
      {/* Not the router's: it would scroll there without taking the focus along. */}
      <a class="skip-link" href="#content" rel="external">
        Skip to the content
      </a>
      <header class="topbar">
        <a class="brand" href="/dashboard/overview">
          <BrandMark />
          <span>digit-link</span>
        </a>
        <Show when={narrow()}>
          <LiveNote />
        </Show>
        <IconButton
          ref={menuButton}
          icon="menu"
          label="Menu"
          aria-expanded={menu()}
          aria-controls="sidebar"
          onClick={() => setMenu(!menu())}
        />
      </header>
      <Show when={menu()}>
        <div class="scrim" onClick={closeMenu} />
      </Show>
      <Sidebar
        open={menu()}
        onLink={closeMenu}
        note={
          <Show when={!narrow()}>
            <LiveNote />
          </Show>
        }
      />
      <main class="content" id="content" tabindex="-1" ref={main} inert={menu() && narrow()}>
        {/* The page before stays until the next one is there, which may take its time on a slow line. */}
        <Show when={isRouting()}>
          <div class="route-progress" role="status" aria-label="Loading the page" />
        </Show>
        <Suspense fallback={<SkeletonPage />}>
          <ErrorBoundary fallback={(error: unknown, reset) => <Broken error={error} onLeave={reset} />}>
            <Show when={me()?.mustEnrolTotp !== true} fallback={<MustEnrol />}>
              {props.children}
            </Show>
          </ErrorBoundary>
        </Suspense>
        <NotUpToDate />
      </main>
      <Shortcuts places={places()} />
      <Show when={expired()}>
        <LogInAgain />
      </Show>
    </div>
  );
}
