// A small npm registry of our own: packages that a test invents, and answers about vulnerabilities.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface NpmRegistry extends Disposable {
  readonly url: string;
  /** Offers `name` in one version; `files` lie in the tarball. Again: other bytes under the same version. */
  offer(name: string, version: string, files: Record<string, string>): Promise<void>;
  /** How a question about vulnerabilities is answered. */
  advise: (installed: Record<string, string[]>) => Response;
}

export function startNpmRegistry(): NpmRegistry {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-registry-"));
  const offered = new Map<string, { manifest: object; tarball: Uint8Array<ArrayBuffer> }>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    async fetch(request) {
      const path = decodeURIComponent(new URL(request.url).pathname.slice(1));
      if (path === "-/npm/v1/security/advisories/bulk") {
        const body = new Uint8Array(await request.arrayBuffer());
        // Bun sends it compressed.
        const text = body[0] === 0x1f ? Bun.gunzipSync(body) : body;
        return registry.advise(JSON.parse(new TextDecoder().decode(text)) as Record<string, string[]>);
      }
      const found = offered.get(path.split("/-/", 1)[0] ?? "");
      if (found === undefined) return new Response("{}", { status: 404 });
      return path.includes("/-/") ? new Response(found.tarball) : Response.json(found.manifest);
    },
  });
  const url = `http://127.0.0.1:${server.port}/`;
  const registry: NpmRegistry = {
    url,
    advise: () => Response.json({}),
    async offer(name, version, files) {
      const root = mkdtempSync(join(folder, "package-"));
      for (const [file, text] of Object.entries(files)) await Bun.write(join(root, "package", file), text);
      const packed = join(root, "packed.tgz");
      Bun.spawnSync(["tar", "czf", packed, "-C", root, "package"]);
      const tarball = await Bun.file(packed).bytes();
      const integrity = `sha512-${new Bun.CryptoHasher("sha512").update(tarball).digest("base64")}`;
      const dist = { tarball: `${url}${name}/-/${name}-${version}.tgz`, integrity };
      const { scripts } = JSON.parse(files["package.json"] ?? "{}") as { scripts?: Record<string, string> };
      const one = { name, version, dist, hasInstallScript: scripts !== undefined, ...(scripts ? { scripts } : {}) };
      offered.set(name, {
        manifest: { name, "dist-tags": { latest: version }, versions: { [version]: one } },
        tarball,
      });
    },
    [Symbol.dispose]() {
      void server.stop(true);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return registry;
}
