// The admin API of a running server over HTTP, with the admin's API token.

export interface AdminAnswer {
  status: number;
  requestId: string;
  body: Record<string, unknown>;
}

export type AdminApi = ReturnType<typeof adminApi>;

/** `must` rejects unless the answer is a success. */
export function adminApi(server: { port: number; token: string }) {
  async function call(method: string, path: string, body?: unknown): Promise<AdminAnswer> {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method,
      headers: {
        host: `localhost:${server.port}`,
        "x-admin-token": server.token,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const requestId = response.headers.get("x-request-id") ?? "";
    return { status: response.status, requestId, body: (await response.json()) as Record<string, unknown> };
  }

  async function must(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await call(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Makes a thing; its id. `kind` is the field of the answer that holds it. */
  const idOf = async (path: string, kind: string, body: unknown): Promise<string> =>
    ((await must("POST", path, body))[kind] as { id: string }).id;

  return {
    call,
    must,
    createOrganization: (name: string) => idOf("/admin/organizations", "organization", { name }),
    createApplication: (orgId: string, subdomain: string, authMode: "inherit" | "disabled" | "custom") =>
      idOf("/admin/applications", "application", { orgId, subdomain, name: subdomain, authMode }),
    setPolicy: (appId: string, policy: object) => must("PUT", `/admin/applications/${appId}/policy`, policy),
    async createKey(key: {
      orgId: string;
      appId?: string;
      scope: "tunnel" | "visitor" | "both";
    }): Promise<{ id: string; raw: string }> {
      const made = await must("POST", "/admin/api-keys", { description: "of a test", ...key });
      return { id: (made["key"] as { id: string }).id, raw: made["rawKey"] as string };
    },
    async createAccount(username: string, orgId: string | null): Promise<{ id: string; token: string }> {
      const made = await must("POST", "/admin/accounts", { username, orgId });
      return { id: (made["account"] as { id: string }).id, token: made["token"] as string };
    },
  };
}
