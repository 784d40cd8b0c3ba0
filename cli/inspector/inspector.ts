// The inspector's web server: its page, what was recorded, and requests sent again. For this machine only, and for who has the key.

import { randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { detailsOf, summaryOf, whyNotRepeatable } from "./message.ts";
import { Recorder } from "./recorder.ts";
import type { Recording } from "./recording.ts";
import { repeat, requestBytes } from "./repeat.ts";
import type { BegunExchange, ChangedRequest, ExchangeList } from "./types.ts";

/** So long a list is waited for that has nothing new. */
const waitMs = 20_000;
/** Changes that come together are told together. */
const pauseMs = 100;
const maxRequestBytes = 4 * 1024 * 1024;

const headers = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-store",
};

export interface Inspector {
  readonly recorder: Recorder;
  /** Of its page. The fragment is the key, which no request carries by itself: other sites, other users and names that lead here get nothing. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves it on 127.0.0.1; port 0 takes a free one. Throws with one sentence where that can't be. The caller stops it. */
export function startInspector(port: number): Inspector {
  const page = findPage();
  if (page === null) throw new Error("The inspector's page is not built; in a checkout: bun run build.");
  const recorder = new Recorder();
  const key = randomBytes(24).toString("base64url");
  const expected = Buffer.from(`Bearer ${key}`);
  const isKnown = (request: Request): boolean => {
    const given = Buffer.from(request.headers.get("Authorization") ?? "");
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
  /** Only for who has the key. */
  const guarded =
    (handle: (request: Request) => Response | Promise<Response>) =>
    async (request: Request): Promise<Response> =>
      isKnown(request) ? handle(request) : refuse(401, "Open the address that digit-link printed: it holds the key.");
  const ofOne = (handle: (recording: Recording, request: Request, url: URL) => Response | Promise<Response>) =>
    guarded((request) => {
      const url = new URL(request.url);
      const recording = recorder.look(Number(url.pathname.split("/")[3]));
      return recording === undefined ? refuse(404, "It is no longer kept.") : handle(recording, request, url);
    });
  let server;
  try {
    server = Bun.serve({
      hostname: "127.0.0.1",
      port,
      idleTimeout: 60,
      maxRequestBodySize: maxRequestBytes,
      development: false,
      // Bun shares the port of a server that isn't for development, and half of each one's page would come from the other.
      reusePort: false,
      routes: {
        ...filesOf(page),
        "/api/exchanges": {
          GET: guarded((request) => listOf(recorder, new URL(request.url))),
          DELETE: guarded(() => {
            recorder.clear();
            return answer({});
          }),
        },
        "/api/exchanges/:id": {
          GET: ofOne((recording, _, url) => answer(detailsOf(recording, url.searchParams.has("secrets")))),
        },
        "/api/exchanges/:id/:body": {
          GET: ofOne((recording, _, url) => bodyOf(recording, url)),
        },
        "/api/exchanges/:id/repeat": {
          POST: ofOne((recording, request) => repeated(recorder, recording, request)),
        },
      },
      fetch: () => refuse(404, "There is nothing here."),
      error: () => refuse(500, "That failed."),
    });
  } catch (error) {
    const why = (error as { code?: string }).code === "EADDRINUSE" ? "another program has it" : String(error);
    throw new Error(`The inspector can't have port ${port}: ${why}. Give another one, or 0 for any that is free.`, {
      cause: error,
    });
  }
  const running = server;
  return {
    recorder,
    url: `http://127.0.0.1:${running.port}/#${key}`,
    async stop() {
      recorder.clear();
      await running.stop(true);
    },
  };
}

async function listOf(recorder: Recorder, url: URL): Promise<Response> {
  const since = Number(url.searchParams.get("since") ?? -1);
  if (since === recorder.version) {
    await recorder.newerThan(since, waitMs);
    await Bun.sleep(pauseMs);
  }
  return answer({ version: recorder.version, exchanges: recorder.all().map(summaryOf) } satisfies ExchangeList);
}

function bodyOf(recording: Recording, url: URL): Response {
  const which = url.pathname.split("/")[4];
  if (which !== "request" && which !== "answer") return refuse(404, "There is nothing here.");
  const body = which === "request" ? recording.requestBody : recording.answerBody;
  return new Response(new Uint8Array(body.read()), {
    headers: { ...headers, "Content-Type": "application/octet-stream", "Content-Disposition": "attachment" },
  });
}

async function repeated(recorder: Recorder, recording: Recording, request: Request): Promise<Response> {
  let changed: ChangedRequest | null;
  try {
    changed = readChanged(await request.json());
  } catch {
    return refuse(400, "What is to be sent is not understood.");
  }
  const why = whyNotRepeatable(recording);
  if (changed === null && why !== null) return refuse(409, why);
  try {
    const bytes = changed === null ? null : requestBytes(changed);
    const begun = summaryOf(repeat(recorder, recording, bytes));
    return answer({ ...begun, version: recorder.version } satisfies BegunExchange, 201);
  } catch (error) {
    return refuse(422, (error as Error).message);
  }
}

/** `null`: as it was. Throws for anything else but a changed request. */
function readChanged(value: unknown): ChangedRequest | null {
  if (value === null) return null;
  const { head, body } = value as Partial<Record<keyof ChangedRequest, unknown>>;
  if (typeof head !== "string" || typeof body !== "string") throw new TypeError("head and body are texts");
  return { head, body };
}

function answer(value: object, status = 200): Response {
  return Response.json(value, { status, headers });
}

function refuse(status: number, message: string): Response {
  return answer({ error: { message } }, status);
}

/** Where the built page is: beside the packed program, or in the source tree. */
function findPage(): string | null {
  const places = [join(import.meta.dir, "inspector"), join(import.meta.dir, "../../dashboard/inspector/dist")];
  return places.find((place) => existsSync(join(place, "index.html"))) ?? null;
}

/** The page's files by their paths; they hold no secret. */
function filesOf(folder: string): Record<string, () => Response> {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const routes: Record<string, () => Response> = {};
  for (const path of paths) {
    const file = path.slice(folder.length).replaceAll("\\", "/");
    routes[file === "/index.html" ? "/" : file] = () => new Response(Bun.file(path), { headers });
  }
  return routes;
}
