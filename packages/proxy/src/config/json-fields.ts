import { at, type Issues, nearest } from "./issues.ts";

/** The fields of plain JSON under their API names, in either spelling; others are reported. */
export function readKeys(
  config: Readonly<Record<string, unknown>>,
  known: readonly string[],
  path: string,
  issues: Issues,
): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [key, value] of Object.entries(config)) {
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (known.includes(name)) values.set(name, value);
    else {
      const near = nearest(name, known);
      issues.add(
        at(path, key),
        `\`${key}\` is not implemented by this proxy`,
        near ? `did you mean \`${near}\`?` : "remove it",
      );
    }
  }
  return values;
}
