// Why the server gave no answer, in words for the agent's user.

const untrusted =
  "nobody trusted here vouches for its certificate; with an authority of your own set NODE_EXTRA_CA_CERTS=ca.pem";

const byCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused: nothing listens there",
  ENOTFOUND: "no host of this name is known",
  EAI_AGAIN: "names cannot be looked up now",
  EHOSTUNREACH: "there is no way to it from this network",
  ENETUNREACH: "there is no way to it from this network",
  ECONNRESET: "it closed the connection without an answer",
  EPROTO: "the TLS handshake failed; does it speak TLS on this port?",
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; is the clock of this machine right?",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
};

/** What `fetch` threw for `asked`, in a few words without a full stop. `proxy`: what it went through, named without its password; false: nothing. */
export function unreachableText(error: unknown, asked: URL, proxy: string | false): string {
  const why = describe(error, asked);
  return proxy === false ? why : `through the proxy ${URL.parse(proxy)?.host ?? "of the environment"}: ${why}`;
}

function describe(error: unknown, asked: URL): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "it did not answer in time";
  const code = "code" in error ? String(error.code) : "";
  if (code === "ECONNRESET" && asked.protocol === "http:") return `${byCode[code]}; does it want https://?`;
  if (Object.hasOwn(byCode, code)) return byCode[code] ?? code;
  // Bun adds questions and advice that help nobody here.
  return error.message.replace(/ (Is the computer|For more information).*$/s, "").replace(/\.$/, "");
}
