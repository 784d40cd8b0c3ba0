// The end of the set-up: a token for the first agent, and what to run with it.

import { createSignal, Show, type JSX } from "solid-js";
import { createAccount } from "../../api/changes.ts";
import { serverUrl } from "../../api/session.ts";
import { Button } from "../../ui/button.tsx";
import { Command } from "../../ui/copy.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { Note } from "../../ui/note.tsx";
import { SecretOnce } from "../../ui/secret.tsx";

/** `addressAllowed`: the address of this browser has just been put on the system's whitelist. */
export function FirstAgent(props: { addressAllowed: boolean; onDone: () => void }): JSX.Element {
  const [token, setToken] = createSignal<string | null>(null);
  const form = createForm({
    initial: { username: "first-agent" },
    check: (values) => (values.username.trim() === "" ? { username: "Choose a username." } : {}),
    submit: async ({ username }) => setToken((await createAccount({ username: username.trim() })).token),
  });
  return (
    <>
      <h1>The server is yours</h1>
      <Show when={!props.addressAllowed}>
        <Note tone="warn" title="You allowed no address">
          <p>An agent is refused until its address is on a list: "Agent whitelists" in the dashboard.</p>
        </Note>
      </Show>
      <Show
        when={token()}
        fallback={
          <>
            <p>
              Agents come with the token of an account. Make one for your first agent now, or later under "Accounts".
            </p>
            <Form
              form={form}
              action="Make its token"
              wide
              more={
                <Button wide onClick={() => props.onDone()}>
                  Go to the dashboard
                </Button>
              }
            >
              <TextField
                label="Account of the first agent"
                autocapitalize="none"
                autocomplete="off"
                {...form.field("username")}
              />
            </Form>
          </>
        }
      >
        {(value) => (
          <SecretOnce
            secret={value()}
            what="API token"
            done="Go to the dashboard"
            more={
              <div class="stack-tight">
                <p>Save server and token where the agent will run; it asks for the token:</p>
                <Command text={`digit-link login --server ${serverUrl()}`} />
                <p>Then open a tunnel to whatever listens on port 3000 there:</p>
                <Command text="digit-link http 3000" />
              </div>
            }
            onKept={() => props.onDone()}
          />
        )}
      </Show>
    </>
  );
}
