import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import type * as Yaml from "yaml";
import { repeatedJsonKey } from "./repeated-json-key.ts";

/** A configuration file as plain JSON values, and the places they were written at. */
export interface ConfigDocument {
  readonly file: string;
  readonly text: string;
  readonly value: unknown;
  /** `file:line:column` of a path in Envoy's notation; of its nearest written parent when it is not there. */
  locate(path: string): string;
}

const maxFileBytes = 32 * 1024 * 1024;

/**
 * Reads YAML or JSON. JSON is read without loading the YAML parser, which a
 * sidecar then only needs to name the place of a mistake.
 */
export function readDocument(file: string): ConfigDocument {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`cannot read ${file}: it ${reasonOf(error)}`, {
      hint: "give the path of an Envoy bootstrap file with -c",
      cause: error,
    });
  }
  return parseDocument(file, text);
}

/** As `readDocument`, of text already read. */
export function parseDocument(file: string, text: string): ConfigDocument {
  if (Buffer.byteLength(text) > maxFileBytes) {
    throw new UserError(`${file} is larger than ${maxFileBytes / 1024 / 1024} MiB`, {
      hint: "serve large configuration over xDS",
    });
  }
  if (/^\s*\{/.test(text)) {
    const value = parseJson(text);
    if (value !== undefined) {
      const repeated = repeatedJsonKey(text);
      if (repeated) throw repeatedKey(file, text, repeated);
      return { file, text, value, locate: (path) => locateIn(file, parseYaml(file, text), path) };
    }
  }
  const parsed = parseYaml(file, text);
  const value: unknown = parsed.document.toJS({ maxAliasCount: 100 });
  return { file, text, value, locate: (path) => locateIn(file, parsed, path) };
}

/** Undefined for what is no JSON: the YAML parser reads most of that too, and says where it is wrong. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function repeatedKey(
  file: string,
  text: string,
  { key, offset }: { readonly key: string; readonly offset: number },
): UserError {
  const lines = text.slice(0, offset).split("\n");
  const place = `${file}:${lines.length}:${lines.at(-1)!.length + 1}`;
  return new UserError(`${place}: ${JSON.stringify(key)} is written twice`, { hint: "keep one" });
}

interface ParsedYaml {
  readonly document: Yaml.Document.Parsed;
  readonly lines: Yaml.LineCounter;
}

function parseYaml(file: string, text: string): ParsedYaml {
  const yaml = loadYaml();
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: "error",
  });
  const error = document.errors[0];
  if (error) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new UserError(`${file}:${line}:${col}: ${reasons.get(error.code) ?? error.message}`, {
      hint: "the file must be one YAML or JSON document",
    });
  }
  return { document, lines };
}

/** In our words, where the parser speaks to programmers. */
const reasons: ReadonlyMap<Yaml.ErrorCode, string> = new Map([
  ["DUPLICATE_KEY", "this key is written twice"],
  ["MULTIPLE_DOCS", "a second document begins here"],
]);

let loaded: typeof Yaml | undefined;

function loadYaml(): typeof Yaml {
  loaded ??= createRequire(import.meta.url)("yaml") as typeof Yaml;
  return loaded;
}

function locateIn(file: string, { document, lines }: ParsedYaml, path: string): string {
  const yaml = loadYaml();
  let node: unknown = document.contents;
  let offset = rangeStart(node) ?? 0;
  for (const segment of parsePath(path)) {
    if (yaml.isAlias(node)) node = node.resolve(document);
    if (yaml.isMap(node) && typeof segment === "string") {
      const pair = node.items.find((item) =>
        sameField(String(yaml.isScalar(item.key) ? item.key.value : item.key), segment),
      );
      if (!pair) break;
      offset = rangeStart(pair.key) ?? offset;
      node = pair.value;
    } else if (yaml.isSeq(node) && typeof segment === "number") {
      const item: unknown = node.items[segment];
      if (item === undefined) break;
      offset = rangeStart(item) ?? offset;
      node = item;
    } else {
      break;
    }
  }
  const { line, col } = lines.linePos(offset);
  return `${file}:${line}:${col}`;
}

function rangeStart(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] } | null)?.range?.[0];
}

/** Splits `a.b[0]["key"].c` into its segments. */
export function parsePath(path: string): (string | number)[] {
  const segments: (string | number)[] = [];
  for (const [, name, index, key] of path.matchAll(/\.?([^.[\]]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g)) {
    if (index !== undefined) segments.push(Number(index));
    else if (key !== undefined) segments.push(JSON.parse(key) as string);
    else if (name !== undefined) segments.push(name);
  }
  return segments;
}

/** Field names are the same in snake_case and camelCase. */
export function sameField(written: string, wanted: string): boolean {
  return written === wanted || toSnakeCase(written) === toSnakeCase(wanted);
}

function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
