// Contract: `git clone`, `fetch` and `push` over HTTP through a tunnel, with a repository of some megabytes.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type GitService, startGitService } from "../helpers/git-service.ts";
import { describeApplication } from "../helpers/services.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-git-"));
const served = join(folder, "served");
const first = join(folder, "first.git");
const seed = join(folder, "seed");
let service: GitService;

beforeAll(async () => {
  mkdirSync(served);
  await git(folder, "init", "--bare", "--initial-branch=main", first);
  await git(first, "config", "http.receivepack", "true");
  await git(folder, "clone", "--quiet", first, seed);
  await addCommit(seed, "first", 4 * 1024 * 1024);
  await git(seed, "push", "--quiet", "origin", "HEAD:main");
  service = startGitService(served);
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A repository as it was at first, for one setup: what is pushed to it is gone from the next. */
let setups = 0;
let origin: string;
let work: string;
function localPort(): number {
  const name = `setup-${++setups}`;
  origin = join(served, `${name}.git`);
  work = join(folder, name);
  cpSync(first, origin, { recursive: true });
  mkdirSync(work);
  return service.port;
}

/** Runs git with nothing of this machine's configuration; throws with its words when it fails. */
async function git(cwd: string, ...words: string[]): Promise<string> {
  const child = Bun.spawn(["git", ...words], {
    cwd,
    env: {
      PATH: process.env.PATH ?? "",
      HOME: folder,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      ...Object.fromEntries(
        ["AUTHOR", "COMMITTER"].flatMap((who) => [
          [`GIT_${who}_NAME`, "Tester"],
          [`GIT_${who}_EMAIL`, "tester@example.com"],
        ]),
      ),
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  if (code !== 0) throw new Error(`git ${words.join(" ")} failed: ${err}`);
  return out.trim();
}

/** Commits a file of random bytes, which no compression makes small; returns the commit's id. */
async function addCommit(repository: string, name: string, bytes: number): Promise<string> {
  writeFileSync(join(repository, name), randomBytes(bytes));
  await git(repository, "add", name);
  await git(repository, "commit", "--quiet", "-m", `adds ${name}`);
  return git(repository, "rev-parse", "HEAD");
}

describeApplication({ name: "git", localPort }, (application) => {
  test("clone, push a large commit, fetch it elsewhere", async () => {
    const url = `${application().url}/${basename(origin)}`;
    const [one, two] = [join(work, "one"), join(work, "two")];
    await git(folder, "clone", "--quiet", url, one);
    await git(folder, "clone", "--quiet", url, two);
    expect(readFileSync(join(one, "first")).equals(readFileSync(join(seed, "first")))).toBe(true);
    // Larger than http.postBuffer (1 MiB): git sends it chunked, after a probe.
    const pushed = await addCommit(one, "second", 6 * 1024 * 1024);
    await git(one, "push", "--quiet", "origin", "main");
    expect(await git(origin, "rev-parse", "main")).toBe(pushed);
    await git(two, "pull", "--quiet");
    expect(await git(two, "rev-parse", "HEAD")).toBe(pushed);
    expect(readFileSync(join(two, "second")).equals(readFileSync(join(one, "second")))).toBe(true);
    await git(two, "fsck", "--strict");
  });

  test("a shallow clone, and a push that the repository refuses", async () => {
    const url = `${application().url}/${basename(origin)}`;
    const shallow = join(work, "shallow");
    await git(folder, "clone", "--quiet", "--depth", "1", url, shallow);
    expect(await git(shallow, "rev-list", "--count", "HEAD")).toBe("1");
    await git(shallow, "commit", "--quiet", "--amend", "-m", "another past");
    await expect(git(shallow, "push", "origin", "main")).rejects.toThrow("non-fast-forward");
  });
});
