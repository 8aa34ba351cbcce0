import { escapeRegex } from "./string-match.ts";

interface Node {
  readonly next: Map<string, Node>;
  isEnd: boolean;
  /** Whatever begins so. */
  isPrefix: boolean;
}

/**
 * Patterns in RE2 syntax, which has no way to say "not", one of which takes
 * whatever has visible ASCII characters alone, but for these texts, those with
 * one of these prefixes, and the empty one. Small ones, by first letter: Envoy
 * refuses patterns of more than a hundred instructions.
 */
export function patternsExcept(excepted: readonly (string | { readonly prefix: string })[]): string[] {
  const root = node();
  for (const one of excepted) {
    let at = root;
    for (const letter of typeof one === "string" ? one : one.prefix) {
      let next = at.next.get(letter);
      if (!next) {
        next = node();
        at.next.set(letter, next);
      }
      at = next;
    }
    if (typeof one === "string") at.isEnd = true;
    else at.isPrefix = true;
  }
  return [`${otherThan([...root.next.keys()])}${any}*`, ...waysOf(root)];
}

function node(): Node {
  return { next: new Map(), isEnd: false, isPrefix: false };
}

const any = "[!-~]";

function waysOf({ next }: Node): string[] {
  const open = [...next].filter(([, { isPrefix }]) => !isPrefix);
  return open.map(([letter, to]) => `${escapeRegex(letter)}${restOf(to)}`);
}

/** What may follow what led here. */
function restOf(to: Node): string {
  if (to.next.size === 0) return to.isEnd ? `${any}+` : `${any}*`;
  const ways = [`${otherThan([...to.next.keys()])}${any}*`, ...waysOf(to)];
  return `(?:${ways.join("|")})${to.isEnd ? "" : "?"}`;
}

/** A visible ASCII character that is none of these, as ranges. */
function otherThan(letters: readonly string[]): string {
  const codes = letters.map((letter) => letter.charCodeAt(0)).sort((a, b) => a - b);
  const ranges: string[] = [];
  let from = 0x21;
  for (const code of [...codes, 0x7f]) {
    if (code > from) ranges.push(`${hex(from)}-${hex(code - 1)}`);
    from = code + 1;
  }
  return `[${ranges.join("")}]`;
}

function hex(code: number): string {
  return `\\x${code.toString(16)}`;
}
