/**
 * Where a key of a JSON object stands a second time: of such keys `JSON.parse`
 * silently keeps the last. Undefined where none does. `text` must be valid JSON.
 */
export function repeatedJsonKey(text: string): { readonly key: string; readonly offset: number } | undefined {
  /** Keys of the objects that are open; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let expectsKey = false;
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case "{":
        open.push(new Set());
        expectsKey = true;
        break;
      case "[":
        open.push(undefined);
        expectsKey = false;
        break;
      case "}":
      case "]":
        open.pop();
        expectsKey = false;
        break;
      case ",":
        expectsKey = open.at(-1) !== undefined;
        break;
      case '"': {
        const end = endOfString(text, i);
        const keys = open.at(-1);
        if (expectsKey && keys) {
          const key = JSON.parse(text.slice(i, end)) as string;
          if (keys.has(key)) return { key, offset: i };
          keys.add(key);
          expectsKey = false;
        }
        i = end - 1;
        break;
      }
    }
  }
  return undefined;
}

/** Behind the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}
