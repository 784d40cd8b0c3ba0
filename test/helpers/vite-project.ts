// A small project under a real Vite dev server: a page that shows the word of one of its modules, and takes a new one by hot reload.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "vite";

export interface ViteProject extends AsyncDisposable {
  readonly port: number;
  /** Edits `word.js` on disk. */
  say(word: string): void;
}

const page = `<!doctype html><title>A word</title><p id="word"></p><script type="module" src="/main.js"></script>`;
const main = `import { word } from "./word.js";
const show = (text) => void (document.querySelector("#word").textContent = text);
show(word);
import.meta.hot.accept("./word.js", (changed) => show(changed.word));
`;

/** Starts it with the word "before". Dispose stops it and removes its files. */
export async function startViteProject(): Promise<ViteProject> {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-vite-"));
  const say = (word: string): void => writeFileSync(join(folder, "word.js"), `export const word = "${word}";`);
  writeFileSync(join(folder, "index.html"), page);
  writeFileSync(join(folder, "main.js"), main);
  say("before");
  const vite = await createServer({
    root: folder,
    configFile: false,
    logLevel: "silent",
    cacheDir: join(folder, ".vite"),
    // Polling: a machine full of tests may be out of inotify watches.
    server: { host: "127.0.0.1", port: 0, watch: { usePolling: true, interval: 50 } },
  });
  await vite.listen();
  return {
    port: (vite.httpServer!.address() as AddressInfo).port,
    say,
    async [Symbol.asyncDispose]() {
      await vite.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
