// Reads the JUnit file that `bun test` writes: counts, and what failed with its reason.

export interface TestReport {
  tests: number;
  failures: number;
  skipped: number;
  /** One text per failed test: `file: group > name`, and below it the reason, cut after `reasonLines` lines. */
  failed: string[];
}

const reasonLines = 40;

/** Never throws: what is not a report has no tests. */
export function parseTestReport(xml: string): TestReport {
  const total = /<testsuites[^>]*>/.exec(xml)?.[0] ?? "";
  const count = (name: string): number => Number(attribute(total, name) || 0);
  // An empty element is no failure; the content of the others may not reach into the next test.
  const cases = xml.matchAll(/<testcase ([^>]*[^/])>((?:(?!<testcase )[\s\S])*?)<\/testcase>/g);
  return {
    tests: count("tests"),
    failures: count("failures") + count("errors"),
    skipped: count("skipped"),
    failed: [...cases].flatMap(([, attributes = "", content = ""]) => describe(attributes, content)),
  };
}

function describe(attributes: string, content: string): string[] {
  const problem = /<(?:failure|error) ([^>]*?)(?:\/>|>([\s\S]*?)<\/(?:failure|error)>)/.exec(content);
  if (problem === null) return [];
  const [, head = "", text = ""] = problem;
  const name = [attribute(attributes, "classname"), attribute(attributes, "name")].filter((part) => part !== "");
  const reason = decode(text).trim() || attribute(head, "message") || attribute(head, "type");
  const lines = reason.split("\n").slice(0, reasonLines);
  return [`${attribute(attributes, "file")}: ${name.join(" > ")}\n${lines.map((line) => `    ${line}`).join("\n")}`];
}

function attribute(tag: string, name: string): string {
  return decode(new RegExp(`(?:^| )${name}="([^"]*)"`).exec(tag)?.[1] ?? "");
}

function decode(text: string): string {
  const named: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code: string | undefined, name: string) =>
    code === undefined ? (named[name] ?? whole) : String.fromCodePoint(Number(code)),
  );
}
