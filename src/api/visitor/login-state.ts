// The `state` of a visitor's login: it names the login, and tells whether it comes back from the network that began it.

import { createSecret, hashSecret } from "../../auth/secrets.ts";

/** A new state, of 256 random bits and what `isBegunFrom` compares. */
export function createLoginState(network: string | null): string {
  const secret = createSecret();
  return `${secret}.${markOf(secret, network)}`;
}

/**
 * Whether a state of ours was made for this network. Anybody can begin a login and make somebody else's browser load its end;
 * what fails then is not that browser's failure.
 */
export function isBegunFrom(state: string, network: string | null): boolean {
  const [secret = "", mark] = state.split(".");
  return mark === markOf(secret, network);
}

function markOf(secret: string, network: string | null): string {
  return hashSecret(`${secret}\n${network ?? ""}`).slice(0, 16);
}
