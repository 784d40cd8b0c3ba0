// Parsing of a text/event-stream (HTML Living Standard, 9.2.6): bytes in, events out.

export interface StreamEvent {
  id: string;
  type: string;
  data: string;
}

/** Feed it decoded text in pieces of any size; calls `emit` once per complete event that carries data. */
export function createEventParser(emit: (event: StreamEvent) => void): (text: string) => void {
  let rest = "";
  let id = "";
  let type = "";
  let data: string[] = [];

  const line = (text: string): void => {
    if (text === "") {
      if (data.length > 0) emit({ id, type: type === "" ? "message" : type, data: data.join("\n") });
      type = "";
      data = [];
      return;
    }
    if (text.startsWith(":")) return;
    const colon = text.indexOf(":");
    const field = colon === -1 ? text : text.slice(0, colon);
    const value = colon === -1 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") type = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  };

  return (text) => {
    rest += text;
    for (;;) {
      const end = rest.search(/[\r\n]/);
      if (end === -1) return;
      // A CR at the very end may be half of a CRLF.
      if (rest[end] === "\r" && end === rest.length - 1) return;
      const length = rest.startsWith("\r\n", end) ? 2 : 1;
      line(rest.slice(0, end));
      rest = rest.slice(end + length);
    }
  };
}
