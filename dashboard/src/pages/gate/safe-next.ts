// Where a log-in leads.

const home = "/dashboard/overview";

/** `next` as a path below `origin`, or the overview: only a page of this dashboard, never another site, never an API path. */
export function safeNext(next: string | undefined, origin: string): string {
  // A URL loses some control characters and reads others: nobody means them.
  if (next === undefined || !next.startsWith("/") || /\p{Cc}/u.test(next)) return home;
  const url = URL.canParse(next, origin) ? new URL(next, origin) : null;
  if (url?.origin !== origin || !url.pathname.startsWith("/dashboard/")) return home;
  return url.pathname + url.search + url.hash;
}
