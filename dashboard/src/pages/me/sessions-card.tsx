// The own login sessions: which there are, ending one, ending all.

import { Show, type JSX } from "solid-js";
import { endSession } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { logOut } from "../../api/session.ts";
import type { LoginSession } from "../../api/types.ts";
import { Button } from "../../ui/button.tsx";
import { Clip } from "../../ui/clip.tsx";
import { confirm } from "../../ui/confirm.tsx";
import { Select } from "../../ui/field.tsx";
import { FilterSelect } from "../../ui/filter.tsx";
import { useList } from "../../ui/list.ts";
import { createListState } from "../../ui/list-state.ts";
import { Empty } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { Badge } from "../../ui/state.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";

/** "Firefox on Linux" from a User-Agent, as far as it tells. */
function deviceOf(userAgent: string): string {
  const browser = /(Firefox|Edg|OPR|Chrome|Safari|curl)\//.exec(userAgent)?.[1] ?? "Unknown browser";
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(userAgent)?.[1];
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera", "Mac OS X": "macOS" };
  return `${names[browser] ?? browser}${system ? ` on ${names[system] ?? system}` : ""}`;
}

function askEnd(session: LoginSession): void {
  confirm({
    title: "End this session?",
    consequence: `${deviceOf(session.userAgent)} at ${session.address} is logged out at once.`,
    action: "End session",
    done: "The session was ended.",
    run: () => endSession(session.id),
  });
}

function askEndAll(): void {
  confirm({
    title: "Sign out everywhere?",
    consequence: "Every session of your account ends at once, this one included. Tunnels stay open.",
    action: "Sign out everywhere",
    done: "You are signed out everywhere.",
    run: () => logOut(true),
  });
}

export function SessionsCard(): JSX.Element {
  const state = createListState(["q", "state", "current"], { sort: "-createdAt", prefix: "session-" });
  const query = useList(() => resources.loginSessions(state.query()), state);
  const columns: Column<LoginSession>[] = [
    {
      title: "Device",
      wide: true,
      cell: (session) => (
        <span class="cell-main">
          <span class="row">
            <span class="cell-title">{deviceOf(session.userAgent)}</span>
            <Show when={session.current}>
              <Badge tone="accent">This one</Badge>
            </Show>
          </span>
          <code class="cell-sub">{session.address}</code>
          <span class="cell-sub">
            <Clip text={session.userAgent || "no User-Agent"} limit={24} />
          </span>
        </span>
      ),
    },
    { title: "Last seen", sort: "lastSeen", cell: (session) => <Ago time={session.lastSeen} /> },
    { title: "Logged in", sort: "createdAt", cell: (session) => <Ago time={session.createdAt} /> },
    {
      title: "Ends",
      sort: "expiresAt",
      cell: (session) => (
        <Show when={session.endedAt} fallback={<Ago time={session.expiresAt} />}>
          {(endedAt) => (
            <span class="muted">
              ended <Ago time={endedAt()} />
            </span>
          )}
        </Show>
      ),
    },
    {
      title: "",
      shrink: true,
      cell: (session) => (
        <Show when={!session.current && session.endedAt === null}>
          <span class="cell-actions">
            <Button small kind="danger" onClick={() => askEnd(session)}>
              End…
            </Button>
          </span>
        </Show>
      ),
    },
  ];
  return (
    <Card
      title="Sessions"
      lead="Where your account is logged in to this dashboard."
      flush
      actions={
        <Button kind="danger" onClick={askEndAll}>
          Sign out everywhere…
        </Button>
      }
    >
      <div class="toolbar">
        <Search
          label="Search sessions"
          placeholder="Address or browser, NOT …"
          value={state.value("q")}
          onSearch={(q) => state.set({ q }, { replace: true })}
        />
        <FilterSelect
          label="Session"
          value={state.value("current")}
          onValue={(current) => state.set({ current })}
          options={[
            { value: "", label: "Any session" },
            { value: "true", label: "Of this browser" },
          ]}
        />
        <Select
          label="State"
          value={state.value("state")}
          onValue={(value) => state.set({ state: value })}
          options={[
            { value: "", label: "Live" },
            { value: "ended", label: "Ended" },
            { value: "any", label: "Live and ended" },
          ]}
        />
      </div>
      <DataTable
        label="Sessions"
        columns={columns}
        query={query}
        state={state}
        dim={(session) => session.endedAt !== null}
        empty={
          <Empty
            icon="user"
            title="No sessions"
            text="You are using a token, not a browser session. Log in with your password and the session is listed here."
          />
        }
      />
    </Card>
  );
}
