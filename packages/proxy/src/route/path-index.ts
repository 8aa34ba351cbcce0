import type { PathSpec } from "./path-matcher.ts";

const slash = 47;

interface Node {
  /** Characters of the edge that leads here. */
  label: string;
  children: Map<number, Node> | undefined;
  prefix: number[] | undefined;
  exact: number[] | undefined;
  separated: number[] | undefined;
}

/** Lists of candidates found by one walk, smallest-first within each; reused between requests. */
export interface Candidates {
  readonly lists: (readonly number[])[];
  readonly positions: number[];
  count: number;
}

/**
 * Finds the literal paths that match a request in time proportional to the
 * request's path, however many routes there are: a radix tree over the
 * characters of case-sensitive `prefix`, `path` and `path_separated_prefix`.
 *
 * It yields candidates only; the order of routes is restored by `nextCandidate`.
 */
export class PathIndex {
  readonly #root: Node = newNode("");

  add(spec: PathSpec, route: number): void {
    let node = this.#root;
    let rest = spec.text;
    for (;;) {
      if (rest === "") break;
      node.children ??= new Map();
      const children = node.children;
      const child = children.get(rest.charCodeAt(0));
      if (!child) {
        const leaf = newNode(rest);
        children.set(rest.charCodeAt(0), leaf);
        node = leaf;
        break;
      }
      const shared = sharedLength(child.label, rest);
      if (shared === child.label.length) {
        node = child;
      } else {
        const middle = newNode(child.label.slice(0, shared));
        child.label = child.label.slice(shared);
        middle.children = new Map([[child.label.charCodeAt(0), child]]);
        children.set(rest.charCodeAt(0), middle);
        node = middle;
      }
      rest = rest.slice(shared);
    }
    if (spec.kind === "prefix") node.prefix = append(node.prefix, route);
    else if (spec.kind === "exact") node.exact = append(node.exact, route);
    else node.separated = append(node.separated, route);
  }

  /** Adds to `found` the routes whose literal matches `path` up to `end`. */
  find(path: string, end: number, found: Candidates): void {
    let node = this.#root;
    let at = 0;
    for (;;) {
      if (node.prefix) addList(found, node.prefix);
      if (node.separated && (at === end || path.charCodeAt(at) === slash)) addList(found, node.separated);
      if (at === end) {
        if (node.exact) addList(found, node.exact);
        return;
      }
      const child = node.children?.get(path.charCodeAt(at));
      if (!child || end - at < child.label.length || !path.startsWith(child.label, at)) return;
      at += child.label.length;
      node = child;
    }
  }
}

export function newCandidates(): Candidates {
  return { lists: [], positions: [], count: 0 };
}

export function addList(found: Candidates, list: readonly number[]): void {
  found.lists[found.count] = list;
  found.positions[found.count] = 0;
  found.count++;
}

/** The smallest route not yet taken from any list, or -1: routes come out in declaration order. */
export function nextCandidate(found: Candidates): number {
  let best = -1;
  let from = -1;
  for (let i = 0; i < found.count; i++) {
    const list = found.lists[i]!;
    const position = found.positions[i]!;
    if (position >= list.length) continue;
    const route = list[position]!;
    if (from < 0 || route < best) {
      best = route;
      from = i;
    }
  }
  if (from >= 0) found.positions[from]!++;
  return best;
}

function append(list: number[] | undefined, route: number): number[] {
  if (!list) return [route];
  list.push(route);
  return list;
}

function newNode(label: string): Node {
  return { label, children: undefined, prefix: undefined, exact: undefined, separated: undefined };
}

function sharedLength(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let i = 0;
  while (i < limit && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}
