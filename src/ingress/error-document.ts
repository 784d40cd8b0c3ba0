// An error as a page for a person: what happened, how far the request came, what to do now. Nothing of the request in it.

import { type ErrorCode, errorCatalogue } from "../lib/errors.ts";
import { escapeHtml } from "../lib/escape-html.ts";
import { pageLook } from "../lib/page-look.ts";

// Shape and word tell the state of a stop, not only its colour.
const style = `${pageLook}main{max-width:36rem}
h1+.go{margin-top:.5rem}
.code{display:flex;align-items:center;gap:.6rem;margin:0 0 1rem;font-size:.8125rem}
.code strong{padding:.05rem .5rem;border-radius:6px;background:var(--glow);color:var(--accent);font-weight:600}
.way{display:grid;grid-template-columns:repeat(4,1fr);margin:1.5rem 0;padding:0;list-style:none;font-size:.8125rem}
.way li{position:relative;padding:1.5rem .5rem 0 0;color:var(--dim)}
.way strong{display:block;color:var(--ink);font-weight:550}
.way li:before{content:"";position:absolute;top:.4rem;left:0;right:0;border-top:2px solid var(--line)}
.way li:last-child:before{content:none}
.way li:after{content:"";position:absolute;top:.06rem;left:0;width:.75rem;height:.75rem;border:3px solid var(--line);border-radius:50%;background:var(--card)}
.way .good:before{border-color:var(--good)}.way .good:after{border-color:var(--good)}
.way .last:before{border-top:2px dashed var(--bad)}
.way .bad:after{border-color:var(--bad);border-radius:2px}
`;
/** For the `style-src` of the page's CSP. */
export const styleHash = new Bun.CryptoHasher("sha256").update(style).digest("base64");

/** The stops of a request, and what is said of one that works. */
const stops = [
  ["You", "asked"],
  ["Server", "reached"],
  ["Agent", "connected"],
  ["Local service", ""],
] as const;

interface Way {
  /** Index of the stop that did not work, and what is said of it. */
  broken: number;
  word: string;
  /** What to do, for whoever the tunnel belongs to or not. */
  advice: string;
}

const forService = "If it is yours, look whether the service that the agent forwards to is running.";
const ways: Partial<Record<ErrorCode, Way>> = {
  tunnel_not_found: {
    broken: 2,
    word: "never seen",
    advice: "Check the address. If the name is yours, start an agent that serves it.",
  },
  tunnel_offline: { broken: 2, word: "not connected", advice: "If it is yours, look whether its agent is running." },
  local_unreachable: { broken: 3, word: "not reached", advice: forService },
  local_failed: { broken: 3, word: "broke off", advice: forService },
  interim_unread: {
    broken: 3,
    word: "says too much",
    advice: "If it is yours, look what the service that the agent forwards to sends ahead of its answers.",
  },
  loop_detected: {
    broken: 3,
    word: "leads back here",
    advice: "If it is yours, look at the port that the agent forwards to.",
  },
  local_timeout: { broken: 3, word: "too slow", advice: forService },
};

/** What to do about a refusal that is no stop on the way. */
const ask = "If you should be let in, ask whoever shared this address with you, and name the request below.";
const advices: Partial<Record<ErrorCode, string>> = { unauthorized: ask, policy_denied: ask };

function wayOf({ broken, word }: Way): string {
  const items = stops.map(([name, good], index) => {
    const state = index === broken ? "bad" : index < broken ? "good" : "";
    const last = index === broken - 1 ? " last" : "";
    const said = index === broken ? word : index < broken ? good : "unknown";
    return `<li class="${state}${last}"><strong>${name}</strong>${said}</li>`;
  });
  return `<ol class="way" aria-label="How far the request came">${items.join("")}</ol>`;
}

export interface ErrorPage {
  code: ErrorCode;
  /** The status in words. */
  reason: string;
  /** The sentence. */
  message: string;
  requestId: string;
  leadsTo: { href: string; text: string } | undefined;
}

/** The document. */
export function errorDocument({ code, reason, message, requestId, leadsTo }: ErrorPage): string {
  const { status, retryable } = errorCatalogue[code];
  const way = ways[code];
  const advice = way?.advice ?? advices[code];
  const next = leadsTo ?? (retryable ? { href: "", text: "Try again" } : null);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">
<title>${status} ${reason}</title><style>${style}</style></head>
<body><main><p class="code"><strong>${status}</strong>${reason}</p><h1>${escapeHtml(message)}</h1>
${advice === undefined ? "" : `<p>${advice}</p>`}${way === undefined ? "" : wayOf(way)}${next === null ? "" : `<a class="go" href="${escapeHtml(next.href)}">${escapeHtml(next.text)}</a>`}
<footer>digit-link &middot; request <code>${requestId}</code></footer></main></body></html>
`;
}
