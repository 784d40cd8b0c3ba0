// Says each thing once, however often it is heard.

/** Bounds what a server that never says the same twice can make an agent keep. */
const mostKept = 64;

/** `tell` gets each text once, until `forget` is called, or so many others have come that it is not remembered. */
export function createOnce(tell: (text: string) => void): { tell(text: string): void; forget(): void } {
  const told = new Set<string>();
  return {
    tell(text) {
      if (told.has(text)) return;
      if (told.size >= mostKept) told.clear();
      told.add(text);
      tell(text);
    },
    forget: () => told.clear(),
  };
}
