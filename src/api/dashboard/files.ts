// The dashboard's built files, read once into memory, plain and compressed.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";

/** One file as it is answered. */
export interface DashboardFile {
  contentType: string;
  plain: Uint8Array<ArrayBuffer>;
  /** Null when compressing saves nothing. */
  gzip: Uint8Array<ArrayBuffer> | null;
  /** Its name holds a hash of its content, so it never changes. */
  immutable: boolean;
}

const contentTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** Where the built dashboard is: beside the packed program, or in the source tree. Null when it was not built. */
export function findDashboard(): string | null {
  const places = [join(import.meta.dir, "dashboard"), join(import.meta.dir, "../../../dashboard/dist")];
  return places.find((place) => existsSync(join(place, "index.html"))) ?? null;
}

/** Reads every file of a known type below `folder`, by its path in the URL (`/assets/…`, `/index.html`). */
export function readDashboard(folder: string): ReadonlyMap<string, DashboardFile> {
  const files = new Map<string, DashboardFile>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const contentType = contentTypes[extname(entry.name)];
    if (!entry.isFile() || contentType === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const urlPath = `/${relative(folder, path).split(sep).join("/")}`;
    const plain = new Uint8Array(readFileSync(path));
    const gzip = new Uint8Array(gzipSync(plain, { level: 9 }));
    files.set(urlPath, {
      contentType,
      plain,
      gzip: gzip.byteLength < plain.byteLength ? gzip : null,
      immutable: urlPath.startsWith("/assets/"),
    });
  }
  return files;
}
