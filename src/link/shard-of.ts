// The one hash that says which shard owns a name or a TCP port; every thread computes the same answer.

/** The shard (0 … shards-1) that owns `name`: FNV-1a over its bytes. `name` is already lower-case. */
export function shardOf(name: string, shards: number): number {
  if (shards === 1) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}

/** The name under which a TCP tunnel's port is leased, registered and hashed. Never a valid subdomain. */
export function tcpName(port: number): string {
  return `tcp:${port}`;
}

/** The port of a name like `tcp:20000`; null for subdomains. */
export function portOf(name: string): number | null {
  return name.startsWith("tcp:") ? Number(name.slice("tcp:".length)) : null;
}
