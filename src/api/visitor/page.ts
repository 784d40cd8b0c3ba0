// The pages that visitors see on a tunnel's host: one small document, our own style by hash, nothing from elsewhere.

import { escapeHtml } from "../../lib/escape-html.ts";

const style = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--text:#12161c;--soft:#5b6675;--line:#dfe3ea;--field:#fff;--accent:#2f5bea;--on:#fff;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--bg:#0e1116;--card:#171b22;--text:#eceff4;--soft:#9aa5b4;--line:#2a313c;--field:#0f131a;--accent:#8aa7ff;--on:#0b1020;--bad:#ff9b92}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:24px;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:380px;background:var(--card);border:1px solid var(--line);border-radius:16px;padding:32px;box-shadow:0 1px 2px #0000000a,0 12px 32px #00000012}
.host{margin:0 0 4px;color:var(--soft);font-size:14px;overflow-wrap:anywhere}
h1{margin:0 0 16px;font-size:22px;line-height:1.25;letter-spacing:-.01em}
p{margin:0 0 16px;color:var(--soft)}
.bad{color:var(--bad);font-weight:500}
label{display:block;margin:0 0 16px;font-size:14px;font-weight:600}
input{display:block;width:100%;margin-top:6px;padding:11px 12px;font:inherit;font-weight:400;color:inherit;background:var(--field);border:1px solid var(--line);border-radius:10px}
button,.go{display:block;width:100%;padding:12px;font:inherit;font-weight:600;text-align:center;text-decoration:none;color:var(--on);background:var(--accent);border:0;border-radius:10px;cursor:pointer}
input:focus-visible,button:focus-visible,.go:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
footer{margin-top:24px;color:var(--soft);font-size:12px}
`;
// Whole, because formatting a template may move white space, and the hash is over every byte.
const styleElement: Html = { markup: `<style>${style}</style>` };
const styleHash = new Bun.CryptoHasher("sha256").update(style).digest("base64");

export interface Page {
  status: number;
  title: string;
  /** The tunnel's host, shown above the title. */
  host: string;
  /** Trusted HTML, made with `html`. */
  body: Html;
  headers?: [string, string][];
  /** Origins that a form may lead to besides our own. */
  formOrigins?: string[];
}

/** Markup that is safe to send; only `html` makes it. */
export interface Html {
  readonly markup: string;
}

/** A template whose values are escaped unless they are Html themselves. */
export function html(parts: TemplateStringsArray, ...values: (string | Html)[]): Html {
  const text = values.map((value) => (typeof value === "string" ? escapeHtml(value) : value.markup));
  return { markup: parts.map((part, i) => part + (text[i] ?? "")).join("") };
}

/** The response of a page: never stored, never framed, no script at all. */
export function renderPage(page: Page): Response {
  const document = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${page.title} · ${page.host}</title>
        ${styleElement}
      </head>
      <body>
        <main>
          <p class="host">${page.host}</p>
          <h1>${page.title}</h1>
          ${page.body}
          <footer>Protected by digit-link</footer>
        </main>
      </body>
    </html>`;
  const headers = new Headers(pageHeaders(page.formOrigins ?? []));
  for (const [name, value] of page.headers ?? []) headers.append(name, value);
  return new Response(document.markup, { status: page.status, headers });
}

/** A redirect without a body, never stored. */
export function redirect(location: string, cookies: string[] = []): Response {
  const headers = new Headers({ location, "cache-control": "no-store", "referrer-policy": "no-referrer" });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}

function pageHeaders(formOrigins: string[]): Record<string, string> {
  const forms = ["'self'", ...formOrigins].join(" ");
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action ${forms}; base-uri 'none'; frame-ancestors 'none'`,
    // With no-referrer, browsers send `Origin: null` with our own form, which is then indistinguishable from a forged one.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
  };
}
