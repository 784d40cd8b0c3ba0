// The pages of visitors whose login did not succeed: the rule that refused them, who they came as, what they can do.

import { html, renderPage, type Html } from "./page.ts";

export interface RefusedLogin {
  host: string;
  /** As in the audit log. */
  reason: string;
  /** Who came, as the provider says. */
  identity?: string;
  /** The claim that a rule asks for. */
  claim?: string;
  requestId: string;
  /** Where a login begins; null where nobody knows of which application it was. */
  login: string | null;
}

const domains = html`This address is only for people with an e-mail address of certain domains`;
/** What a visitor is told, by the reason of the audit log: the rules of the policy first, which another identity may pass. */
const rules: Record<string, (refused: RefusedLogin) => Html> = {
  email_domain: () => html`${domains}, and yours is of another one.`,
  no_email: () => html`${domains}, and your provider tells none of yours.`,
  email_not_verified: () => html`${domains}, and your provider has not verified yours.`,
  claim_missing: ({ claim = "" }) =>
    html`This address is only for accounts with a certain <code>${claim}</code>, and your provider tells none of yours.`,
  claim_mismatch: ({ claim = "" }) =>
    html`This address is only for accounts with a certain <code>${claim}</code>, and yours is another one.`,
};
const mishaps: Record<string, string> = {
  provider_error: "Your identity provider did not log you in, or you cancelled it.",
  policy_changed: "Who may visit this address was changed while you logged in.",
  other_browser: "This login was begun in another browser.",
  unknown_state: "This login took too long, or it was finished already.",
  unknown_code: "This login took too long, or it was finished already.",
};

/** The page of a login that was refused; says nothing of the policy but which rule it was. */
export function refusedPage(refused: RefusedLogin): Response {
  const { host, reason, identity, requestId, login } = refused;
  const rule = rules[reason]?.(refused);
  const mishap = mishaps[reason] ?? "The identity provider could not be asked, or its answer was not valid.";
  const again = rule === undefined ? ["", "Try again"] : ["&again=1", "Log in as somebody else"];
  const body = html`<p class="bad" role="alert">${rule ?? mishap}</p>
    ${identity === undefined ? html`` : html`<p>You came as <strong>${identity}</strong>.</p>`}
    <p>
      ${rule === undefined ? "If it happens again, ask" : "If you should be let in, ask"} whoever shared this address
      with you, and name this request: <code>${requestId}</code>
    </p>
    ${login === null ? html`` : html`<a class="go" href="${login}${again[0] ?? ""}">${again[1] ?? ""}</a>`}`;
  return renderPage({
    status: 403,
    title: rule === undefined ? "You are not logged in" : "You may not visit this",
    host,
    body,
  });
}

/** The page of an address that failed too often. */
export function tooMany(host: string, retryAfterMs: number): Response {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  const body = html`<p class="bad">Too many attempts from your address.</p>
    <p>Try again in ${seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`}.</p>`;
  return renderPage({ status: 429, title: "Please wait", host, body, headers: [["retry-after", String(seconds)]] });
}
