// The pages that visitors see on a tunnel's host: one small document, our own style by hash, nothing from elsewhere.

import { escapeHtml } from "../../lib/escape-html.ts";
import { pageLook } from "../../lib/page-look.ts";

const style = `${pageLook}main{max-width:24rem}
.host{margin:0 0 .25rem;font-size:.8125rem;overflow-wrap:anywhere}
.bad{color:var(--bad);font-weight:500}
label{display:block;margin:0 0 1rem;font-size:.8125rem;font-weight:550}
input{display:block;width:100%;margin-top:.375rem;padding:.55rem .7rem;font:inherit;font-size:1rem;font-weight:400;color:inherit;background:var(--field);border:1px solid var(--edge);border-radius:9px}
button,.go{display:block;width:100%}
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
