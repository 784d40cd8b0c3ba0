// The program's version and the Bun it needs, from package.json (inlined by the build).

import { engines, version } from "../package.json";

export { version };

/** The range of Bun versions the program runs on. */
export const bunRange: string = engines.bun;
