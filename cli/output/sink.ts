// Lines to a stream that may be slow or gone: one write per turn, bounded memory, no crash on a closed pipe.

export interface Sink {
  /** Queues one line. A droppable line is left out when the reader is too slow. */
  line(text: string, droppable?: boolean): void;
  /** Queues text as it is; false when the reader has not taken the last write yet, so that a caller can skip a frame. */
  readonly ready: boolean;
  raw(text: string): void;
  /** Resolves when everything queued was handed to the system, or the reader is gone, or `timeoutMs` have passed. */
  flush(timeoutMs?: number): Promise<void>;
}

const maxQueuedChars = 4 * 1024 * 1024;

/**
 * Creates a sink on `stream`. `onDropped` makes the line that says how many were left out; `onClosed` is called once
 * when nobody reads any more.
 */
export function createSink(
  stream: NodeJS.WritableStream,
  options: { onDropped(count: number): string; onClosed(): void },
): Sink {
  let queue: string[] = [];
  let queuedChars = 0;
  let dropped = 0;
  let scheduled = false;
  let blocked = false;
  let closed = false;

  const pump = (): void => {
    scheduled = false;
    if (blocked || closed) return;
    if (dropped > 0) {
      queue.push(`${options.onDropped(dropped)}\n`);
      dropped = 0;
    }
    if (queue.length === 0) return;
    const text = queue.join("");
    queue = [];
    queuedChars = 0;
    blocked = !stream.write(text);
  };
  const push = (text: string): void => {
    if (closed) return;
    queue.push(text);
    queuedChars += text.length;
    if (!scheduled && !blocked) {
      scheduled = true;
      setImmediate(pump);
    }
  };
  stream.on("drain", () => {
    blocked = false;
    pump();
  });
  stream.on("error", () => {
    if (closed) return;
    closed = true;
    queue = [];
    options.onClosed();
  });

  return {
    get ready() {
      return !blocked;
    },
    line(text, droppable = false) {
      if (droppable && queuedChars > maxQueuedChars) dropped++;
      else push(`${text}\n`);
    },
    raw: push,
    async flush(timeoutMs = 1000) {
      const deadlineMs = performance.now() + timeoutMs;
      pump();
      while ((blocked || queue.length > 0) && !closed && performance.now() < deadlineMs) await Bun.sleep(5);
    },
  };
}
