// A visitor that reads all it can, as a process of its own: in the one that measures it would be part of what is measured.

/** Reads a body without end for so long; resolves to the bytes. */
export async function readAll(port: number, name: string, seconds: number): Promise<number> {
  const flags = ["-sN", "--max-time", String(seconds), "-o", "/dev/null", "-w", "%{size_download}"];
  const target = `http://127.0.0.1:${port}/size/800000000000`;
  const reader = Bun.spawn(["curl", ...flags, "-H", `Host: ${name}.localhost`, target], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  return Number(await reader.stdout.text());
}
