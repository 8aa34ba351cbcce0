import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Divergence, DivergenceKind } from "./divergences.ts";

const page = join(import.meta.dirname, "..", "..", "docs", "envoy-differences.md");
const begin = "<!-- from conformance/differential/divergences.yaml -->\n";
const end = "<!-- end -->\n";

const headings: Readonly<Record<DivergenceKind, string>> = {
  refused: "Refused here, accepted by Envoy",
  reply: "Another answer to the same refusal",
  purpose: "Different on purpose",
};

/** Whether `docs/envoy-differences.md` says what the list says. */
export function isPageCurrent(divergences: readonly Divergence[]): boolean {
  const text = readFileSync(page, "utf8");
  return withTables(text, divergences) === text;
}

/** Writes the tables of `docs/envoy-differences.md` anew. */
export function writePage(divergences: readonly Divergence[]): void {
  writeFileSync(page, withTables(readFileSync(page, "utf8"), divergences));
}

function withTables(text: string, divergences: readonly Divergence[]): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${page} has no place for the list`);
  return text.slice(0, from + begin.length) + tables(divergences) + text.slice(to);
}

function tables(divergences: readonly Divergence[]): string {
  const kinds = Object.keys(headings) as DivergenceKind[];
  return kinds
    .map((kind) => {
      const rows = divergences
        .filter((divergence) => divergence.kind === kind)
        .map(({ input, here, envoy, why }) => `| ${[input, here, envoy, why].join(" | ")} |\n`);
      return `\n## ${headings[kind]}\n\n| what | here | Envoy | why |\n|---|---|---|---|\n${rows.join("")}`;
    })
    .join("")
    .concat("\n");
}
