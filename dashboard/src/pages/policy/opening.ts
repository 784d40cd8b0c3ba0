// Whether another policy mode opens an application to the world, and what that changes for visitors.

import type { Application, AuthMode, Policy } from "../../api/types.ts";

interface Opening {
  title: string;
  says: string;
  /** It is not open yet as far as is known: ask before it is saved. */
  asks: boolean;
}

/** Whether anybody may visit in this mode; undefined: not known. `inherited` as in `resolveOpening`. */
function isOpen(mode: AuthMode, inherited: Policy | null | undefined): boolean | undefined {
  if (mode === "inherit") return inherited === undefined ? undefined : inherited === null;
  return mode === "disabled";
}

/**
 * What to say about the mode that is chosen; null when it is the present one, or keeps visitors out. `inherited` is the
 * organization's policy: null when it has none, undefined while that is not known, which is not taken for protection.
 * `kind` names the policy in force for people.
 */
export function resolveOpening(
  { authMode, url }: Pick<Application, "authMode" | "url">,
  mode: AuthMode,
  inherited: Policy | null | undefined,
  kind: string,
): Opening | null {
  if (mode === authMode || isOpen(mode, inherited) === false) return null;
  const before = isOpen(authMode, inherited);
  const unknown = "Whether the organization has a policy is not known; this holds if it has none. ";
  if (before === true) {
    const says =
      mode === "disabled"
        ? 'The organization has no policy, so anybody may visit already. With "Public" that stays so even when it gets one.'
        : `${inherited === undefined ? unknown : "The organization has no policy. "}Anybody may visit until it gets one.`;
    return { title: "This leaves it open to the world", says, asks: false };
  }
  const why = mode !== "inherit" ? "" : inherited === undefined ? unknown : "The organization has no policy. ";
  const whose = authMode === "custom" ? "its own policy" : "the organization's policy";
  const until = before === false ? `Until now ${whose} decides who gets in (${kind}). ` : "";
  return {
    title: "This opens it to the world",
    says: `${why}${until}After this anybody who knows ${url} may call it: nobody is asked to log in, and no address is refused.`,
    asks: true,
  };
}
