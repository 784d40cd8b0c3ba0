// A browser's part in visitors' logins at a running server: cookies per host, no redirect followed by itself.

export interface HttpBrowserAnswer {
  status: number;
  location: string | null;
  text: string;
}

/** Asks `*.localhost` at `port`. `form` posts. */
export function createHttpBrowser(port: number) {
  const jars = new Map<string, Map<string, string>>();

  async function send(url: string | URL, form?: Record<string, string>): Promise<HttpBrowserAnswer> {
    const { host, hostname, pathname, search, origin } = new URL(url);
    const jar = jars.get(hostname) ?? new Map<string, string>();
    jars.set(hostname, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(`http://127.0.0.1:${port}${pathname}${search}`, {
      method: form === undefined ? "GET" : "POST",
      redirect: "manual",
      headers: {
        host,
        accept: "text/html",
        ...(cookie === "" ? {} : { cookie }),
        ...(form === undefined
          ? {}
          : { origin, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded" }),
      },
      ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() }),
    });
    for (const line of response.headers.getSetCookie()) {
      const pair = line.split(";", 1)[0] ?? "";
      const name = pair.slice(0, pair.indexOf("="));
      if (line.includes("Max-Age=0")) jar.delete(name);
      else jar.set(name, pair.slice(name.length + 1));
    }
    const location = response.headers.get("location");
    return {
      status: response.status,
      location: location === null ? null : new URL(location, url).href,
      text: await response.text(),
    };
  }

  return {
    send,
    /** The visitor's session at NAME.localhost; throws when there is none. */
    sessionAt(name: string): string {
      const session = jars.get(`${name}.localhost`)?.get("dl_visitor");
      if (session === undefined) throw new Error(`no session at ${name}`);
      return session;
    },
  };
}
