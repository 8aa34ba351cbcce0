import { createTwoFilesPatch } from "diff";

/** A text under a title, as one side of a comparison. */
export interface Titled {
  readonly title: string;
  readonly text: string;
}

/** A unified diff of two texts; with colours on a terminal that wants them. */
export function textDiff(before: Titled, after: Titled, isColoured = hasColours()): string {
  const patch = createTwoFilesPatch(before.title, after.title, before.text, after.text, "", "", {
    context: 3,
  });
  const lines = patch.split("\n").filter((line) => !line.startsWith("====="));
  return isColoured ? lines.map(coloured).join("\n") : lines.join("\n");
}

function hasColours(): boolean {
  return process.stdout.isTTY === true && process.stdout.hasColors() && !process.env.NO_COLOR;
}

function coloured(line: string): string {
  if (line.startsWith("+++") || line.startsWith("---")) return `\u001b[1m${line}\u001b[0m`;
  if (line.startsWith("+")) return `\u001b[32m${line}\u001b[0m`;
  if (line.startsWith("-")) return `\u001b[31m${line}\u001b[0m`;
  if (line.startsWith("@@")) return `\u001b[36m${line}\u001b[0m`;
  return line;
}
