// The routes. Every page is its own chunk; the API's paths (/admin, /org, /auth, /setup/…) are never used for pages.

import { Navigate, Route, Router } from "@solidjs/router";
import { QueryClientProvider } from "@tanstack/solid-query";
import { ErrorBoundary, lazy, Suspense, type JSX, type ParentProps } from "solid-js";
import { ApiError } from "./api/client.ts";
import { providers } from "./api/login.ts";
import { queryClient } from "./api/query-client.ts";
import { canManage, isAdmin, loadMe, portal } from "./api/session.ts";
import { Frame } from "./shell/frame.tsx";
import { Gate } from "./shell/gate.tsx";
import { NotFound, NotForRole } from "./shell/not-found.tsx";
import { Start } from "./shell/start.tsx";
import { ConfirmHost } from "./ui/confirm.tsx";
import { isDialogOpen } from "./ui/dialog.tsx";
import { Problem } from "./ui/note.tsx";
import { ToastHost } from "./ui/toast.tsx";

/** A page whose script can't be fetched fails as any call of the server does. */
const page = (load: () => Promise<{ default: () => JSX.Element }>) =>
  lazy(() =>
    load().catch((cause: unknown) => {
      throw new ApiError(0, "network", "The server could not be reached, or it was updated meanwhile. Try again.", {
        cause,
      });
    }),
  );

const Login = page(() => import("./pages/gate/login.tsx"));
const Setup = page(() => import("./pages/gate/setup.tsx"));
const Overview = page(() => import("./pages/overview/overview.tsx"));
const Organizations = page(() => import("./pages/organizations/organizations.tsx"));
const Organization = page(() => import("./pages/organizations/organization.tsx"));
const Applications = page(() => import("./pages/applications/applications.tsx"));
const Application = page(() => import("./pages/applications/application.tsx"));
const Accounts = page(() => import("./pages/accounts/accounts.tsx"));
const Account = page(() => import("./pages/accounts/account.tsx"));
const Keys = page(() => import("./pages/keys/keys.tsx"));
const Whitelists = page(() => import("./pages/whitelists/whitelists.tsx"));
const Tunnels = page(() => import("./pages/tunnels/tunnels.tsx"));
const Requests = page(() => import("./pages/requests/requests.tsx"));
const Audit = page(() => import("./pages/audit/audit.tsx"));
const Me = page(() => import("./pages/me/me.tsx"));
const OrgPolicy = page(() => import("./pages/settings/policy.tsx"));
const OrgLimits = page(() => import("./pages/limits/limits.tsx"));
const OrgSettings = page(() => import("./pages/settings/settings.tsx"));

/** The chunk of the page that is asked for, and what it asks first, is fetched while the server still tells who is logged in. */
const firstChunks: Record<string, { preload: () => unknown }> = {
  overview: Overview,
  organizations: Organizations,
  applications: Applications,
  accounts: Accounts,
  keys: Keys,
  whitelists: Whitelists,
  tunnels: Tunnels,
  requests: Requests,
  audit: Audit,
  me: Me,
  policy: OrgPolicy,
  limits: OrgLimits,
};
const [, area = "", section = ""] = location.pathname.split("/");
if (area === "dashboard") {
  void loadMe().catch(() => null);
  firstChunks[section]?.preload();
} else if (area === "" || area === "login") {
  void Login.preload();
  void providers();
}

function Root(props: ParentProps): JSX.Element {
  return (
    <ErrorBoundary
      fallback={(error: unknown) => (
        <main class="gate-main">
          <h1 class="visually-hidden">digit-link</h1>
          <Problem title="This page broke" error={error} onRetry={() => location.reload()} />
        </main>
      )}
    >
      <Suspense>{props.children}</Suspense>
      <ConfirmHost />
      <ToastHost here={!isDialogOpen()} />
    </ErrorBoundary>
  );
}

/** A page that is only for `who`; others are told so. */
function only(who: string, allowed: () => boolean, Inner: () => JSX.Element): () => JSX.Element {
  return () => <>{allowed() ? <Inner /> : <NotForRole who={who} />}</>;
}

/** Outside of the dashboard there is no frame around it. */
function NotFoundOutside(): JSX.Element {
  return (
    <Gate>
      <NotFound />
    </Gate>
  );
}

const forAdmins = (Inner: () => JSX.Element) => only("system admins", isAdmin, Inner);
const forManagers = (Inner: () => JSX.Element) =>
  only("admins of the organization", () => portal() !== "none" && canManage(), Inner);
const forMembers = (Inner: () => JSX.Element) => only("members of an organization", () => portal() !== "none", Inner);
const isOrg = () => portal() === "org";

/** The parts of a page that an address may name. */
const organizationTabs = ["members", "traffic", "policy", "limits", "keys", "whitelist", "settings"];
const applicationTabs = ["policy", "keys", "whitelist", "limiter", "settings"];
const meTabs = ["sessions", "token", "appearance"];

export function App(): JSX.Element {
  return (
    <QueryClientProvider client={queryClient}>
      <Router root={Root}>
        <Route path="/" component={Start} />
        <Route path="/login" component={Login} />
        <Route path="/setup" component={Setup} />
        <Route path="/dashboard" component={Frame}>
          <Route path="/" component={() => <Navigate href="/dashboard/overview" />} />
          <Route path="/overview" component={Overview} />
          <Route path="/organizations" component={forAdmins(Organizations)} />
          <Route
            path="/organizations/:id/:tab?"
            matchFilters={{ tab: organizationTabs }}
            component={forAdmins(Organization)}
          />
          <Route path="/applications" component={forMembers(Applications)} />
          <Route
            path="/applications/:id/:tab?"
            matchFilters={{ tab: applicationTabs }}
            component={forMembers(Application)}
          />
          <Route path="/accounts" component={forManagers(Accounts)} />
          <Route path="/accounts/:id" component={forManagers(Account)} />
          <Route path="/keys" component={forMembers(Keys)} />
          <Route
            path="/whitelists/:level?"
            matchFilters={{ level: ["organizations", "applications", "accounts"] }}
            component={forMembers(Whitelists)}
          />
          <Route path="/tunnels" component={forMembers(Tunnels)} />
          <Route path="/requests" component={forMembers(Requests)} />
          <Route path="/audit" component={forManagers(Audit)} />
          <Route path="/policy" component={only("members of an organization", isOrg, OrgPolicy)} />
          <Route path="/limits" component={only("members of an organization", isOrg, OrgLimits)} />
          <Route
            path="/settings"
            component={only("admins of an organization", () => isOrg() && canManage(), OrgSettings)}
          />
          <Route path="/me/:tab?" matchFilters={{ tab: meTabs }} component={Me} />
          <Route path="*" component={NotFound} />
        </Route>
        <Route path="*" component={NotFoundOutside} />
      </Router>
    </QueryClientProvider>
  );
}
