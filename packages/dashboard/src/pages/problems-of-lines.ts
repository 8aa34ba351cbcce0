import type { Diagnostic } from "@weft/base/diagnostics";

/** What was found in one file, by line, errors first. */
export function problemsOfLines(
  problems: readonly Diagnostic[],
  file: string,
): ReadonlyMap<number, readonly Diagnostic[]> {
  const weight = { error: 0, warning: 1, info: 2 } as const;
  const own = problems.filter(({ origin }) => origin?.file === file);
  const sorted = own.toSorted((a, b) => weight[a.severity] - weight[b.severity]);
  return Map.groupBy(sorted, ({ origin }) => origin!.line);
}
