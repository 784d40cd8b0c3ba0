// Answers of ours: whole HTTP messages, a page or JSON, never cached, nothing reflected.

import { describe, expect, test } from "bun:test";
import { type ErrorCode, errorCatalogue } from "../lib/errors.ts";
import { Head } from "../http1/head.ts";
import { acceptsHtml, errorAnswer, redirectAnswer } from "./error-page.ts";

const base = { requestId: "0123456789abcdef01", html: false, headOnly: false, connection: null };

/** Parsed by our own strict grammar; the body is what follows the head. */
function parsed(bytes: Buffer): { head: Head; body: string; fields: Map<string, string> } {
  const head = new Head();
  const end = head.parseResponse(bytes, 0, bytes.length);
  expect(end).toBeGreaterThan(0);
  const text = bytes.toString("latin1", 0, end).split("\r\n").slice(1, -2);
  const fields = new Map(text.map((line) => line.split(": ", 2) as [string, string]));
  expect(fields.size).toBe(head.count);
  return { head, body: bytes.toString("utf8", end), fields };
}

describe("errors", () => {
  test.each(Object.keys(errorCatalogue) as ErrorCode[])("%s is a complete answer in every form", (code) => {
    for (const html of [false, true]) {
      const bytes = errorAnswer({ ...base, code, html });
      const { head, body, fields } = parsed(bytes);
      expect(head.status).toBe(errorCatalogue[code].status);
      expect(head.contentLength).toBe(Buffer.byteLength(body));
      expect(fields.get("Cache-Control")).toBe("no-store");
      expect(fields.get("X-Request-Id")).toBe(base.requestId);
      if (html) expect(body).toContain(base.requestId);
      else expect(JSON.parse(body)).toMatchObject({ error: { code, requestId: base.requestId } });
      const headOnly = errorAnswer({ ...base, code, html, headOnly: true });
      expect(bytes.subarray(0, headOnly.length).equals(headOnly)).toBe(true);
      expect(parsed(headOnly).body).toBe("");
    }
  });

  test("carry what is added to them", () => {
    const options = {
      message: "Ours.",
      retryAfterSeconds: 3,
      headers: [["X-Ours", "1"]] as const,
      connection: "close" as const,
    };
    const { fields, body, head } = parsed(errorAnswer({ ...base, code: "tunnel_offline", ...options }));
    expect([fields.get("Retry-After"), fields.get("X-Ours"), head.close]).toEqual(["3", "1", true]);
    expect(JSON.parse(body).error.message).toBe("Ours.");
    expect(parsed(errorAnswer({ ...base, code: "method_not_allowed" })).fields.get("Allow")).toContain("GET");
  });
});

describe("the page of an error", () => {
  const page = (code: ErrorCode): string => parsed(errorAnswer({ ...base, code, html: true })).body;

  test("shows how far the request came, where that is known", () => {
    const way = (code: ErrorCode): string[] =>
      page(code)
        .matchAll(/<li class="(.*?)"><strong>(.*?)<\/strong>(.*?)<\/li>/g)
        .map(([, ...parts]) => parts.join("|"))
        .toArray();
    expect(way("tunnel_offline")).toEqual([
      "good|You|asked",
      "good last|Server|reached",
      "bad|Agent|not connected",
      "|Local service|unknown",
    ]);
    expect(way("local_unreachable").slice(1)).toEqual([
      "good|Server|reached",
      "good last|Agent|connected",
      "bad|Local service|not reached",
    ]);
    expect(page("policy_denied")).not.toContain("<ol");
  });

  test("says what to do, where there is something", () => {
    expect(page("tunnel_offline")).toContain("<p>If it is yours, look whether its agent is running.</p>");
    expect(page("policy_denied")).toContain("<p>If you should be let in, ask whoever shared this address");
    expect(page("bad_request")).not.toMatch(/<p>|undefined/);
  });

  test("leads on to where it is told", () => {
    const leadsTo = { href: "https://panel.example", text: "Go to the dashboard" };
    const { body } = parsed(errorAnswer({ ...base, code: "not_found", html: true, leadsTo }));
    expect(body).toContain('<a class="go" href="https://panel.example">Go to the dashboard</a>');
  });

  test("offers another try where one may help", () => {
    for (const code of Object.keys(errorCatalogue) as ErrorCode[])
      expect(page(code).includes('href=""'), code).toBe(errorCatalogue[code].retryable);
  });
});

test("a redirect is empty and never cached", () => {
  const { head, body, fields } = parsed(redirectAnswer("/__auth/login?to=%2F", base.requestId, "close"));
  expect([head.status, head.contentLength, body, head.close]).toEqual([302, 0, "", true]);
  expect([fields.get("Location"), fields.get("Cache-Control")]).toEqual(["/__auth/login?to=%2F", "no-store"]);
});

test("browsers are told from programs by what they accept", () => {
  const accepts = (...lines: string[]): boolean => {
    const head = new Head();
    const bytes = Buffer.from(["GET / HTTP/1.1", "Host: a", ...lines, "", ""].join("\r\n"));
    head.parseRequest(bytes, 0, bytes.length);
    return acceptsHtml(head);
  };
  expect([accepts(), accepts("Accept: */*"), accepts("Accept: application/json")]).toEqual([false, false, false]);
  expect(accepts("Accept: application/xml", "accept: text/html;q=0.9")).toBe(true);
});

describe("security", () => {
  test("a page runs nothing, loads nothing, is framed by nobody, and escapes its text", () => {
    const { fields, body } = parsed(errorAnswer({ ...base, code: "bad_request", html: true, message: `<b>"'&` }));
    const policy = fields.get("Content-Security-Policy")!;
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; frame-ancestors 'none'$/);
    const style = /<style>([^]*)<\/style>/.exec(body)![1]!;
    expect(policy).toContain(new Bun.CryptoHasher("sha256").update(style).digest("base64"));
    expect(body).toContain("&#60;b&#62;&#34;&#39;&#38;");
    expect(body).not.toMatch(/<script|<b>|https?:/);
    expect(fields.get("X-Content-Type-Options")).toBe("nosniff");
  });

  test("every error runs nothing, is framed by nobody, and tells other sites nothing of where it was", () => {
    for (const html of [true, false]) {
      const { fields } = parsed(errorAnswer({ ...base, code: "head_too_large", html }));
      expect(fields.get("Content-Security-Policy")).toMatch(/^default-src 'none';.* frame-ancestors 'none'$/);
      expect(fields.get("Referrer-Policy")).toBe("no-referrer");
      expect(fields.get("Cache-Control")).toBe("no-store");
    }
  });
});
