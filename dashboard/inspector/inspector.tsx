// The page: the exchanges on one side, the one that is chosen on the other.

import { createMemo, createSignal, Match, onCleanup, Show, Switch, type JSX } from "solid-js";
import { BrandMark } from "../src/shell/brand.tsx";
import { Button } from "../src/ui/button.tsx";
import { Empty, Note } from "../src/ui/note.tsx";
import { Search } from "../src/ui/search.tsx";
import { attempt } from "../src/ui/toast.tsx";
import * as api from "./api.ts";
import { Details } from "./details.tsx";
import { followExchanges } from "./exchanges.ts";
import { ExchangeList } from "./list.tsx";

/** The chosen one stands in the address, beside the key: a reload shows it again. */
function chosenByAddress(): number | null {
  const id = new URLSearchParams(location.search).get("id");
  return id === null ? null : Number(id);
}

function titleOf({ status }: api.InspectorError, wasLive: boolean): string {
  if (status !== 401) return "Not live";
  return wasLive ? "The agent was started anew, with another key" : "This is not the whole address";
}

/** `/`, as the field itself says. */
function toFilter(event: KeyboardEvent): void {
  const isTyping = event.target instanceof Element && event.target.closest("input, textarea, dialog") !== null;
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
  const field = document.querySelector<HTMLInputElement>("[data-search]");
  event.preventDefault();
  field?.focus();
  field?.select();
}

export function Inspector(): JSX.Element {
  const { items, trouble, add } = followExchanges();
  const [chosen, setChosen] = createSignal(chosenByAddress());
  const [filter, setFilter] = createSignal("");
  let list!: HTMLElement;
  let pane!: HTMLElement;
  const choose = (id: number | null): void => {
    const before = chosen();
    setChosen(id);
    // On a phone one takes the other's place; who reads begins at the top, and goes on where the list was left.
    pane.scrollTop = 0;
    if (id === null) list.querySelector<HTMLElement>(`[data-id="${before}"]`)?.focus();
    else if (!list.checkVisibility()) {
      pane.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
    const { pathname, hash } = location;
    history.replaceState(null, "", `${pathname}${id === null ? "" : `?id=${id}`}${hash}`);
  };
  const shown = createMemo(() => {
    const words = filter().toLowerCase().split(/\s+/).filter(Boolean);
    return (items() ?? []).filter(({ method, path, status, url }) => {
      const text = `${method} ${status} ${url}${path}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  });
  const one = createMemo(() => items()?.find(({ id }) => id === chosen()));

  document.addEventListener("keydown", toFilter);
  onCleanup(() => document.removeEventListener("keydown", toFilter));

  return (
    <div class="inspector" data-chosen={one() === undefined ? undefined : ""}>
      <header class="inspector-head">
        <span class="inspector-brand">
          <BrandMark />
          <h1>Inspector</h1>
        </span>
        <Search
          wide
          label="Filter exchanges"
          placeholder="Filter: POST /orders 500"
          value={filter()}
          onSearch={setFilter}
        />
        <Button
          icon="trash"
          disabled={(items() ?? []).length === 0}
          onClick={() => void attempt(api.clear, "Nothing is kept any more.")}
        >
          Clear
        </Button>
      </header>
      <main>
        <Show when={trouble()}>
          {(error) => (
            <Note tone="warn" title={titleOf(error(), items() !== null)} alert>
              <p>{error().message}</p>
            </Note>
          )}
        </Show>
        <div class="inspector-panes" hidden={trouble()?.status === 401 && items() === null}>
          <section class="inspector-list" aria-label="Exchanges" ref={list}>
            <Switch
              fallback={
                <Empty
                  icon="filter"
                  title="None of them"
                  text={`Of ${items()?.length ?? 0} that are kept none has that.`}
                >
                  <Button onClick={() => setFilter("")}>Clear the filter</Button>
                </Empty>
              }
            >
              <Match when={shown().length > 0}>
                <ExchangeList exchanges={shown()} chosen={chosen()} onChoose={choose} />
              </Match>
              <Match when={items()?.length === 0}>
                <Empty
                  icon="requests"
                  title="Waiting for the first request"
                  text="Call a tunnel's URL, and it appears here at once."
                />
              </Match>
              <Match when={items() === null}>
                <span />
              </Match>
            </Switch>
          </section>
          <section class="inspector-details" aria-label="The chosen exchange" tabindex="-1" ref={pane}>
            <Show
              when={one()}
              keyed={false}
              fallback={
                <Show when={(items() ?? []).length > 0}>
                  <p class="inspector-hint muted">
                    {chosen() === null ? "Choose one to see all of it, and to send it again." : "It is no longer kept."}
                  </p>
                </Show>
              }
            >
              {(exchange) => (
                <Details
                  exchange={exchange()}
                  before={items()?.find(({ id }) => id === exchange().repeats?.id)}
                  onChoose={choose}
                  onSent={(sent) => {
                    add(sent);
                    choose(sent.id);
                  }}
                />
              )}
            </Show>
          </section>
        </div>
      </main>
    </div>
  );
}
