import type { PathLiteral, RbacPermission, RbacPolicy } from "./rbac-plan.ts";

/** What more policies than this name tells them apart no better than what says nothing. */
const maxAtOnePath = 16;

/**
 * Finds the policies that a path may concern, among those that name what their
 * paths are or begin with: a look-up for each length of a beginning, however
 * many policies there are.
 */
export class PathIndex {
  /** Places of policies that say nothing so definite of paths; in order. */
  readonly open: readonly number[];
  readonly #exact = new Map<string, number[]>();
  readonly #prefixes = new Map<string, number[]>();
  readonly #lengths: readonly number[];

  constructor(policies: readonly RbacPolicy[]) {
    const open: number[] = [];
    const named = policies.map(({ permissions }) => together(permissions.map(literalsOf)));
    const keyOf = ({ kind, text }: PathLiteral) => `${kind} ${text}`;
    const shared = Map.groupBy(
      named.flatMap((literals) => literals ?? []),
      keyOf,
    );
    for (const [place, literals] of named.entries()) {
      if (!literals || literals.some((one) => shared.get(keyOf(one))!.length > maxAtOnePath))
        open.push(place);
      else for (const literal of literals) this.#add(literal, place);
    }
    this.open = open;
    this.#lengths = [...new Set([...this.#prefixes.keys()].map(({ length }) => length))].sort(
      (a, b) => a - b,
    );
  }

  /** Calls back with the place of every policy that this path may concern, in no order; some more than once. */
  visit(path: string, onFound: (place: number) => void): void {
    const exact = this.#exact.get(path);
    if (exact) for (const place of exact) onFound(place);
    for (const length of this.#lengths) {
      if (length > path.length) return;
      const begun = this.#prefixes.get(path.slice(0, length));
      if (begun) for (const place of begun) onFound(place);
    }
  }

  #add({ kind, text }: PathLiteral, place: number): void {
    const map = kind === "exact" ? this.#exact : this.#prefixes;
    const places = map.get(text);
    if (places) places.push(place);
    else map.set(text, [place]);
  }
}

/** One of which a path must be or begin with to meet a condition; undefined where it need not. */
function literalsOf(permission: RbacPermission): readonly PathLiteral[] | undefined {
  switch (permission.kind) {
    case "url-path":
      return permission.literal && [permission.literal];
    case "or":
      return together(permission.rules.map(literalsOf));
    case "and": {
      // Each of them must hold: the one that leaves the least is enough.
      const known = permission.rules.map(literalsOf).filter((list) => list !== undefined);
      return known.sort((a, b) => a.length - b.length)[0];
    }
    default:
      return undefined;
  }
}

function together(
  lists: readonly (readonly PathLiteral[] | undefined)[],
): readonly PathLiteral[] | undefined {
  const known = lists.filter((list) => list !== undefined);
  return known.length === lists.length ? known.flat() : undefined;
}
