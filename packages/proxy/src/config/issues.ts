/** One thing wrong with a piece of configuration. */
export interface Issue {
  /** Where, in Envoy's field names: `filter_chains[0].filters[1].typed_config.stat_prefix`. */
  readonly path: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string | undefined;
}

/** More than this many findings help nobody; the count of the rest is still told. */
const maxReported = 20;

/**
 * Collects everything wrong with a resource, so that one NACK, or one start,
 * names it all.
 */
export class Issues {
  readonly #found: Issue[] = [];

  add(path: string, message: string, hint?: string): void {
    this.#found.push({ path, message, hint });
  }

  get all(): readonly Issue[] {
    return this.#found;
  }

  get isEmpty(): boolean {
    return this.#found.length === 0;
  }

  /** One line per finding. `place` puts something before the path, e.g. `file:line:column`. */
  format(place: (issue: Issue) => string = () => ""): string {
    const lines = this.#found.slice(0, maxReported).map((issue) => {
      const where = issue.path === "" ? "" : `${issue.path}: `;
      return `${place(issue)}${where}${issue.message}${issue.hint ? ` (${issue.hint})` : ""}`;
    });
    if (this.#found.length > maxReported) lines.push(`and ${this.#found.length - maxReported} more`);
    return lines.join("\n");
  }
}

/** `path.field`, or the field alone at the top. */
export function at(path: string, field: string): string {
  return path === "" ? field : `${path}.${field}`;
}

/** A map's entry: `path["key"]`. */
export function atKey(path: string, key: string): string {
  return `${path}[${JSON.stringify(key)}]`;
}

/** `a, b or c`: the nearest few of `known` to a misspelt `word`, as a hint, or undefined when none is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substituted, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
