// What `digit-link/vite` is told; the package has it as types.

/** The token is never here: it comes from DIGIT_LINK_TOKEN, or from what `digit-link login` saved. */
export interface DigitLinkOptions {
  /** The public name; left out, the server picks one that is kept across reconnects. */
  subdomain?: string;
  /** Origin of the server; left out, DIGIT_LINK_SERVER, or what `digit-link login` saved. */
  server?: string;
  /** Port of the inspector's page on this machine, 0 for any that is free; left out, there is no page. */
  inspect?: number;
}
