import { type ConfigDocument, parsePath, sameField } from "./document.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Where an object or list was written. */
interface Origin {
  readonly document: ConfigDocument;
  readonly path: string;
}

/**
 * One document after the other, merged as Envoy merges `--config-yaml` into the
 * file: objects field by field, lists one behind the other; anything else, and a
 * message of its own type (`@type`), is replaced. Places stay those of the
 * document that wrote them.
 */
export function mergeDocuments(base: ConfigDocument, over: ConfigDocument): ConfigDocument {
  const origins = new WeakMap<object, Origin>();
  note(base.value, { document: base, path: "" }, origins);
  note(over.value, { document: over, path: "" }, origins);
  const value = merge(base.value, over.value, origins);
  return {
    file: base.file,
    text: JSON.stringify(value),
    value,
    locate: (path) => locate(value, path, origins, base),
  };
}

function merge(base: unknown, over: unknown, origins: WeakMap<object, Origin>): unknown {
  if (over === undefined || over === null) return base;
  let merged: object;
  if (Array.isArray(base) && Array.isArray(over)) merged = [...base, ...over];
  else if (isFields(base) && isFields(over) && !("@type" in over)) {
    const fields = new Map(Object.entries(base));
    for (const [name, value] of Object.entries(over)) {
      const key = [...fields.keys()].find((written) => sameField(written, name)) ?? name;
      fields.set(key, merge(fields.get(key), value, origins));
    }
    merged = Object.fromEntries(fields);
  } else return over;
  origins.set(merged, origins.get(base as object)!);
  return merged;
}

function note(value: unknown, origin: Origin, origins: WeakMap<object, Origin>): void {
  if (typeof value !== "object" || value === null) return;
  origins.set(value, origin);
  for (const [key, inner] of Object.entries(value)) {
    note(inner, { ...origin, path: join(origin.path, Array.isArray(value) ? Number(key) : key) }, origins);
  }
}

function locate(
  value: unknown,
  path: string,
  origins: WeakMap<object, Origin>,
  base: ConfigDocument,
): string {
  let node = value;
  let { document, path: place } = originOf(node, origins) ?? { document: base, path: "" };
  for (const segment of parsePath(path)) {
    if (typeof node === "object" && node !== null) {
      const key = Object.keys(node).find((written) => sameField(written, `${segment}`)) ?? segment;
      node = (node as Fields)[key];
    } else node = undefined;
    const origin = originOf(node, origins);
    if (origin) ({ document, path: place } = origin);
    else place = join(place, segment);
  }
  return document.locate(place);
}

function originOf(node: unknown, origins: WeakMap<object, Origin>): Origin | undefined {
  return typeof node === "object" && node !== null ? origins.get(node) : undefined;
}

function join(path: string, segment: string | number): string {
  if (typeof segment === "number") return `${path}[${segment}]`;
  if (!/^\w+$/.test(segment)) return `${path}[${JSON.stringify(segment)}]`;
  return path === "" ? segment : `${path}.${segment}`;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
