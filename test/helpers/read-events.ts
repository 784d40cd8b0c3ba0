// Reads a stream of server-sent events until enough of them are there.

export interface ReadEvent {
  id: string | undefined;
  type: string;
  data: unknown;
}

/** Resolves with all events so far once they are enough, or when the stream ends. */
export async function readEvents(
  response: Response,
  enough: (events: ReadEvent[]) => boolean = () => false,
): Promise<ReadEvent[]> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const events = parse(text);
    if (enough(events)) {
      await reader.cancel();
      return events;
    }
    const { done, value } = await reader.read();
    if (done) return parse(text);
    text += value;
  }
}

function parse(text: string): ReadEvent[] {
  return text
    .split("\n\n")
    .slice(0, -1)
    .map((block) => new Map(block.split("\n").map((line) => line.split(/: (.*)/s) as [string, string])))
    .filter((fields) => fields.has("data"))
    .map((fields) => ({
      id: fields.get("id"),
      type: fields.get("event") ?? "",
      data: JSON.parse(fields.get("data")!) as unknown,
    }));
}
