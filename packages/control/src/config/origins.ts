import type { Origin } from "@weft/base/origin";
import { isAlias, isMap, isScalar, isSeq, type LineCounter, type Node } from "yaml";

/** `spec.http[0].match` and `port` or `3` to `spec.http[0].match.port` or `spec.http[0].match[3]`. */
export function joinPath(parent: string, key: string | number): string {
  if (typeof key === "number") return `${parent}[${key}]`;
  const segment = /^[\w-]+$/.test(key) ? key : `["${key}"]`;
  if (parent === "") return segment;
  return segment.startsWith("[") ? parent + segment : `${parent}.${segment}`;
}

/**
 * Where each value of one document was written. Always answers: a path that was
 * not written itself has the place of its nearest written ancestor.
 */
export class Origins {
  readonly #file: string;
  readonly #values: ReadonlyMap<string, number>;
  readonly #keys: ReadonlyMap<string, number>;
  readonly #base: string;

  constructor(
    file: string,
    values: ReadonlyMap<string, number>,
    keys: ReadonlyMap<string, number>,
    base = "",
  ) {
    this.#file = file;
    this.#values = values;
    this.#keys = keys;
    this.#base = base;
  }

  /** The same document seen from `base`, for resources inside a list. */
  below(base: string): Origins {
    return new Origins(this.#file, this.#values, this.#keys, this.#full(base));
  }

  #full(path: string): string {
    if (this.#base === "" || path === "") return this.#base + path;
    return path.startsWith("[") ? this.#base + path : `${this.#base}.${path}`;
  }

  /** The place of a value: of the scalar itself, or of the key or item that begins a map or list. */
  at(path: string): Origin {
    for (let written = this.#full(path); ; written = parentOf(written)) {
      const packed = this.#values.get(written);
      if (packed !== undefined) return this.#origin(packed, path);
      if (written === "") return { file: this.#file, line: 1, column: 1, path };
    }
  }

  /** Whether the document itself writes this path. */
  has(path: string): boolean {
    return this.#values.has(this.#full(path));
  }

  /** The place of a field's name, for findings about the field rather than its value. */
  keyAt(path: string): Origin {
    const packed = this.#keys.get(this.#full(path));
    return packed === undefined ? this.at(path) : this.#origin(packed, path);
  }

  #origin(packed: number, path: string): Origin {
    return { file: this.#file, line: Math.floor(packed / 65536), column: packed % 65536, path };
  }
}

function parentOf(path: string): string {
  const cut = Math.max(path.lastIndexOf("."), path.lastIndexOf("["));
  return cut <= 0 ? "" : path.slice(0, cut);
}

export interface PlacedNode {
  readonly origins: Origins;
  readonly depth: number;
}

/**
 * Records the place of every node below `root`. An alias is a leaf here, so the
 * work is bounded by the text, whatever the aliases expand to.
 */
export function placeNodes(
  file: string,
  root: Node | null,
  lines: LineCounter,
  maxDepth: number,
): PlacedNode {
  const values = new Map<string, number>();
  const keys = new Map<string, number>();
  let deepest = 0;
  const pack = (offset: number): number => {
    const { line, col } = lines.linePos(offset);
    return line * 65536 + Math.min(col, 65535);
  };
  const visit = (node: unknown, path: string, keyOffset: number | undefined, depth: number): void => {
    deepest = Math.max(deepest, depth);
    if (depth > maxDepth) return;
    const range = (node as Node | null)?.range;
    const isCollection = isMap(node) || isSeq(node);
    const offset = isCollection || !range ? (keyOffset ?? range?.[0]) : range[0];
    if (offset !== undefined) values.set(path, pack(offset));
    if (isMap(node)) {
      for (const pair of node.items) {
        const keyNode = pair.key as Node;
        const name = isScalar(keyNode) ? String(keyNode.value) : isAlias(keyNode) ? keyNode.source : "?";
        const child = joinPath(path, name);
        if (keyNode?.range) keys.set(child, pack(keyNode.range[0]));
        visit(pair.value, child, keyNode?.range?.[0], depth + 1);
      }
    } else if (isSeq(node)) {
      node.items.forEach((item, i) => {
        visit(item, joinPath(path, i), undefined, depth + 1);
      });
    }
  };
  visit(root, "", root?.range?.[0], 0);
  return { origins: new Origins(file, values, keys), depth: deepest };
}
