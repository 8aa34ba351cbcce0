import type { Diagnostics } from "@weft/base/diagnostics";
import { messageOf } from "@weft/base/errors";
import type { Origin } from "@weft/base/origin";
import { type Document, LineCounter, parseAllDocuments, type YAMLError } from "yaml";
import { type Origins, placeNodes } from "./origins.ts";

/** One YAML document as a plain value, with the place of everything in it. */
export interface RawDocument {
  readonly value: unknown;
  readonly origins: Origins;
}

export interface ConfigFile {
  readonly name: string;
  readonly text: string;
}

/** What one call accepts; more is refused by name rather than attempted. */
export const limits = {
  fileBytes: 16 * 1024 * 1024,
  documentBytes: 1024 * 1024,
  documents: 20_000,
  depth: 64,
  aliases: 100,
  /** Of the rules of one host, or of one VirtualService: what they cost every proxy, and every request that none is for. */
  matches: 4096,
} as const;

/**
 * Every readable document of one file. Whatever cannot be read is one error
 * with its place; the documents beside it are still returned.
 */
export function parseDocuments(file: ConfigFile, diagnostics: Diagnostics): RawDocument[] {
  const start: Origin = { file: file.name, line: 1, column: 1 };
  const sizeBytes = Buffer.byteLength(file.text);
  if (sizeBytes > limits.fileBytes) {
    const most = `${limits.fileBytes / 1024 / 1024} MiB`;
    diagnostics.error(
      "W1002",
      start,
      `the file has ${sizeBytes} bytes; at most ${most} are read`,
      "split it",
    );
    return [];
  }
  const lines = new LineCounter();
  let documents: Document.Parsed[];
  try {
    const parsed = parseAllDocuments(file.text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
      // What it would warn of on standard error (keys that are no text) is refused by the schema.
      logLevel: "error",
    });
    documents = Array.isArray(parsed) ? parsed : [];
  } catch (cause) {
    const message = cause instanceof RangeError ? "is nested too deeply to be read" : messageOf(cause);
    diagnostics.error("W1004", start, `the file ${message}`, `nest at most ${limits.depth} levels`);
    return [];
  }
  const found: RawDocument[] = [];
  for (const document of documents) {
    if (found.length === limits.documents) {
      const place = placeOf(file.name, lines, document.range[0]);
      diagnostics.error(
        "W1003",
        place,
        `more than ${limits.documents} documents in one file`,
        "split the file",
      );
      break;
    }
    const raw = readDocument(file.name, document, lines, diagnostics);
    if (raw) found.push(raw);
  }
  return found;
}

function readDocument(
  file: string,
  document: Document.Parsed,
  lines: LineCounter,
  diagnostics: Diagnostics,
): RawDocument | undefined {
  if (document.errors.length > 0) {
    const [first] = document.errors;
    diagnostics.error("W1001", placeOf(file, lines, first!.pos[0]), ...syntaxMessage(first!));
    return undefined;
  }
  if (document.contents === null) return undefined;
  const place = placeOf(file, lines, document.contents.range[0]);
  const sizeBytes = document.range[2] - document.range[0];
  if (sizeBytes > limits.documentBytes) {
    diagnostics.error(
      "W1002",
      place,
      `the document has ${sizeBytes} bytes; at most 1 MiB is read`,
      "split it",
    );
    return undefined;
  }
  const { origins, depth } = placeNodes(file, document.contents, lines, limits.depth);
  if (depth > limits.depth) {
    diagnostics.error("W1004", place, `the document is nested more than ${limits.depth} levels deep`);
    return undefined;
  }
  try {
    const value = document.toJS({ maxAliasCount: limits.aliases }) as unknown;
    return value === null || value === undefined ? undefined : { value, origins };
  } catch (cause) {
    const hint = "write the values out instead of using aliases";
    diagnostics.error("W1005", place, `aliases cannot be expanded: ${messageOf(cause)}`, hint);
    return undefined;
  }
}

function placeOf(file: string, lines: LineCounter, offset: number): Origin {
  const { line, col } = lines.linePos(offset);
  return { file, line, column: col };
}

function syntaxMessage(error: YAMLError): [message: string, hint: string | undefined] {
  const hints: Partial<Record<YAMLError["code"], string>> = {
    DUPLICATE_KEY: "remove one of the two",
    TAB_AS_INDENT: "indent with spaces",
    BAD_INDENT: "align the keys of one map",
    MULTILINE_IMPLICIT_KEY: "check the indentation and the colon above",
  };
  return [`not valid YAML: ${error.message.split("\n")[0]}`, hints[error.code]];
}
