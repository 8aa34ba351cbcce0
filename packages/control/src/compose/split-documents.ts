import { Diagnostics } from "@weft/base/diagnostics";
import { stringify } from "yaml";
import { groupOf, meshKindOf } from "../config/kinds.ts";
import { defaultNamespace } from "../config/parse-config.ts";
import { type ConfigFile, parseDocuments } from "../config/parse-documents.ts";
import { resourceKey } from "../config/resource.ts";

/** The text of one resource, cut out of its file as it was written. */
export interface ResourceText {
  readonly text: string;
  readonly file: string;
  /** Line of the file where `text` begins, from 1. */
  readonly line: number;
}

/**
 * The text of every resource in a file, comments included, by resource key.
 * Items of a `List` have no text of their own and are written out as YAML.
 */
export function splitDocuments(file: ConfigFile): ReadonlyMap<string, ResourceText> {
  const found = new Map<string, ResourceText>();
  const segments = segmentsOf(file.text);
  for (const { value, origins } of parseDocuments(file, new Diagnostics())) {
    const { line } = origins.at("");
    const items = (value as { kind?: unknown; items?: unknown }).items;
    if ((value as { kind?: unknown }).kind === "List" && Array.isArray(items)) {
      for (const [i, item] of items.entries()) {
        const key = keyOf(item);
        if (key)
          found.set(key, { text: stringify(item), file: file.name, line: origins.at(`items[${i}]`).line });
      }
      continue;
    }
    const key = keyOf(value);
    const segment = segments.findLast((candidate) => candidate.line <= line);
    if (key && segment) found.set(key, { ...segment, file: file.name });
  }
  return found;
}

/**
 * Files that put each text back at the line it came from, so that parsing them
 * gives every value its true place. Texts of one file share one where they fit.
 */
export function joinDocuments(texts: readonly ResourceText[]): readonly ConfigFile[] {
  const sorted = [...texts].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
  const files: { name: string; parts: string[]; nextLine: number }[] = [];
  for (const { file, line, text } of sorted) {
    let last = files.at(-1);
    if (!last || last.name !== file || line < last.nextLine + 1) {
      last = { name: file, parts: [], nextLine: 1 };
      files.push(last);
    }
    if (line > last.nextLine) {
      last.parts.push(`${"\n".repeat(line - 1 - last.nextLine)}---\n`);
    }
    const body = text.endsWith("\n") ? text : `${text}\n`;
    last.parts.push(body);
    last.nextLine = line + countLines(body);
  }
  return files.map(({ name, parts }) => ({ name, text: parts.join("") }));
}

/** Cuts at document markers, and off the blank lines around each document. */
function segmentsOf(text: string): readonly { readonly text: string; readonly line: number }[] {
  const lines = text.split("\n");
  const segments: { text: string; line: number }[] = [];
  let start = 0;
  const cut = (end: number): void => {
    let from = start;
    let to = end;
    while (from < to && lines[from]!.trim() === "") from += 1;
    while (to > from && lines[to - 1]!.trim() === "") to -= 1;
    if (to > from) segments.push({ text: `${lines.slice(from, to).join("\n")}\n`, line: from + 1 });
  };
  for (const [i, line] of lines.entries()) {
    if (!/^(---|\.\.\.)(\s|$)/.test(line)) continue;
    cut(i);
    const rest = line.slice(3);
    const hasContent = line.startsWith("---") && rest.trim() !== "" && !rest.trimStart().startsWith("#");
    if (hasContent) lines[i] = `   ${rest}`;
    start = hasContent ? i : i + 1;
  }
  cut(lines.length);
  return segments;
}

function keyOf(value: unknown): string | undefined {
  const { kind, apiVersion, metadata } = (value ?? {}) as {
    kind?: unknown;
    apiVersion?: unknown;
    metadata?: { name?: unknown; namespace?: unknown };
  };
  if (typeof kind !== "string" || typeof metadata?.name !== "string") return undefined;
  const namespace = typeof metadata.namespace === "string" ? metadata.namespace : defaultNamespace;
  const known = typeof apiVersion === "string" ? meshKindOf(kind, groupOf(apiVersion)) : undefined;
  return resourceKey({ kind: known ?? kind, namespace, name: metadata.name });
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}
