// What a policy looks like while it is being edited, and what of it is sent.

import type { AuthMode, AuthType, ClaimValue, Policy, PolicyInput } from "../../api/types.ts";

export interface ClaimRow {
  name: string;
  value: string;
}

export interface PolicyValues {
  mode: AuthMode;
  authType: AuthType;
  basicUsername: string;
  basicPassword: string;
  oidcIssuerUrl: string;
  oidcClientId: string;
  oidcClientSecret: string;
  oidcScopes: string[];
  oidcAllowedDomains: string[];
  oidcRequiredClaims: ClaimRow[];
  apiKeyEnabled: boolean;
  allowPreflight: boolean;
  sessionHours: string;
  allowIps: string[];
  denyIps: string[];
}

function isAuthType(kind: string | undefined): kind is AuthType {
  return kind === "basic" || kind === "api_key" || kind === "oidc";
}

/** Fills the form from what is stored; secrets stay empty, which keeps the stored ones. */
export function toValues(policy: Policy | null, mode: AuthMode): PolicyValues {
  return {
    mode,
    authType: isAuthType(policy?.authType) ? policy.authType : "basic",
    basicUsername: policy?.basicUsername ?? "",
    basicPassword: "",
    oidcIssuerUrl: policy?.oidcIssuerUrl ?? "",
    oidcClientId: policy?.oidcClientId ?? "",
    oidcClientSecret: "",
    oidcScopes: policy && policy.oidcScopes.length > 0 ? [...policy.oidcScopes] : ["openid", "email", "profile"],
    oidcAllowedDomains: [...(policy?.oidcAllowedDomains ?? [])],
    oidcRequiredClaims: Object.entries(policy?.oidcRequiredClaims ?? {}).map(([name, value]) => ({
      name,
      value: String(value),
    })),
    apiKeyEnabled: policy?.apiKeyEnabled ?? false,
    allowPreflight: policy?.allowPreflight ?? false,
    sessionHours: String(policy?.sessionHours ?? 24),
    allowIps: [...(policy?.allowIps ?? [])],
    denyIps: [...(policy?.denyIps ?? [])],
  };
}

/** `true`, `false` and numbers are meant as such; everything else is text. */
export function parseClaim(text: string): ClaimValue {
  if (text === "true") return true;
  if (text === "false") return false;
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

/** The body to send: only the parts of the chosen kind, and secrets only when typed. */
export function toInput(values: PolicyValues): PolicyInput {
  const common = {
    authType: values.authType,
    allowPreflight: values.allowPreflight,
    allowIps: values.allowIps,
    denyIps: values.denyIps,
  };
  switch (values.authType) {
    case "basic":
      return {
        ...common,
        sessionHours: Number(values.sessionHours),
        apiKeyEnabled: values.apiKeyEnabled,
        basicUsername: values.basicUsername.trim(),
        ...(values.basicPassword === "" ? {} : { basicPassword: values.basicPassword }),
      };
    case "api_key":
      return common;
    case "oidc":
      return {
        ...common,
        sessionHours: Number(values.sessionHours),
        apiKeyEnabled: values.apiKeyEnabled,
        oidcIssuerUrl: values.oidcIssuerUrl.trim(),
        oidcClientId: values.oidcClientId.trim(),
        ...(values.oidcClientSecret === "" ? {} : { oidcClientSecret: values.oidcClientSecret }),
        oidcScopes: values.oidcScopes,
        oidcAllowedDomains: values.oidcAllowedDomains,
        oidcRequiredClaims: Object.fromEntries(
          values.oidcRequiredClaims
            .filter((claim) => claim.name.trim() !== "")
            .map((claim) => [claim.name.trim(), parseClaim(claim.value.trim())]),
        ),
      };
  }
}

/** What is wrong before anything is sent. */
export function checkPolicy(values: PolicyValues, stored: Policy | null): Partial<Record<keyof PolicyValues, string>> {
  if (values.mode !== "custom") return {};
  const hours = Number(values.sessionHours);
  const hoursError =
    values.authType !== "api_key" && !(Number.isInteger(hours) && hours >= 1 && hours <= 8760)
      ? { sessionHours: "1 to 8,760 hours." }
      : {};
  if (values.authType === "basic") {
    return {
      ...hoursError,
      ...(values.basicUsername.trim() === "" ? { basicUsername: "Enter the username that visitors type." } : {}),
      ...(values.basicPassword === "" && stored?.hasBasicPassword !== true
        ? { basicPassword: "Enter a password." }
        : {}),
    };
  }
  if (values.authType === "oidc") {
    return {
      ...hoursError,
      ...(/^https?:\/\/\S+$/.test(values.oidcIssuerUrl.trim())
        ? {}
        : { oidcIssuerUrl: "Enter the provider's issuer URL, for example https://accounts.google.com." }),
      ...(values.oidcClientId.trim() === "" ? { oidcClientId: "Enter the client id that the provider gave you." } : {}),
    };
  }
  return hoursError;
}
