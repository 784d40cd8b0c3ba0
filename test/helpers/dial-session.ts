// A process that opens one session by hand: `bun dial-session.ts URL [PROXY]` prints what became of it. A process of its own, as what it
// trusts (NODE_EXTRA_CA_CERTS) is read when it starts.

import { SessionDial } from "../../cli/agent/session-dial.ts";

const [url = "", proxy = ""] = process.argv.slice(2);
const outcome = Promise.withResolvers<string>();
// oxlint-disable-next-line no-new -- it begins by itself
new SessionDial(new URL(url), proxy === "" ? null : proxy, {
  opened: () => outcome.resolve("opened"),
  failed: (reason) => outcome.resolve(reason),
});
console.log(await outcome.promise);
process.exit(0);
