// An address that leads nowhere, or to what is for other roles: each says which, with a way on.

import type { JSX } from "solid-js";
import { isAdmin, me, portal } from "../api/session.ts";
import { LinkButton } from "../ui/button.tsx";
import { Empty } from "../ui/note.tsx";
import { Page } from "../ui/page.tsx";

export function NotFound(): JSX.Element {
  return (
    <Page title="Not found">
      <Empty icon="search" title="There is no such page" text="The address may be mistyped, or out of date.">
        <LinkButton href="/dashboard/overview" kind="primary">
          Go to the overview
        </LinkButton>
      </Empty>
    </Page>
  );
}

/** A page that exists, for `who` ("system admins"). */
export function NotForRole(props: { who: string }): JSX.Element {
  return (
    <Page title="Not for your role">
      <OnlyFor who={props.who} />
    </Page>
  );
}

/** The same inside of a page that is for everybody else. */
export function OnlyFor(props: { who: string }): JSX.Element {
  const role = () => {
    if (isAdmin()) return "a system admin";
    if (portal() === "none") return "an account without an organization";
    return me()?.account.isOrgAdmin === true ? "an admin of its organization" : "a member of its organization";
  };
  return (
    <Empty
      icon="lock"
      title={`This is for ${props.who}`}
      text={
        <>
          You are logged in as <strong>{me()?.account.username}</strong>, {role()}.{" "}
          {isAdmin() ? "What belongs to an organization is on its own page." : "Ask an administrator if you need it."}
        </>
      }
    >
      <LinkButton href={isAdmin() ? "/dashboard/organizations" : "/dashboard/overview"} kind="primary">
        {isAdmin() ? "Go to the organizations" : "Go to the overview"}
      </LinkButton>
    </Empty>
  );
}
