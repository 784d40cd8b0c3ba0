// `bun src/main.ts`: the server, as `digit-link server` runs it.

import { runServer } from "./server.ts";

process.exit(await runServer(process.argv.slice(2)));
