import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** One answer as the traffic source saw it. */
export interface Visit {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly ms: number;
  readonly status: number;
  readonly details: number;
  readonly reviews: number;
  readonly version?: string;
  /** The first review's rating, where the version of reviews shows any. */
  readonly stars?: { readonly stars?: number; readonly error?: string };
  readonly error?: string;
}

/** True when the page and all its parts came back, ratings included. */
export function isComplete(visit: Visit): boolean {
  const hasRatings = visit.stars?.error === undefined;
  return visit.status === 200 && visit.details === 200 && visit.reviews === 200 && hasRatings;
}

/** Follows the traffic source's output from where it was last read. */
export class TrafficLog {
  readonly #path: string;
  #offset = 0;
  #rest = "";

  constructor(path: string) {
    this.#path = path;
  }

  /** The visits written since the last call. */
  read(): readonly Visit[] {
    let file: number;
    try {
      file = openSync(this.#path, "r");
    } catch {
      return [];
    }
    const size = fstatSync(file).size;
    const bytes = Buffer.alloc(Math.max(0, size - this.#offset));
    const read = readSync(file, bytes, 0, bytes.length, this.#offset);
    closeSync(file);
    this.#offset += read;
    const lines = (this.#rest + bytes.toString("utf8", 0, read)).split("\n");
    this.#rest = lines.pop()!;
    return lines.flatMap(parseVisit);
  }
}

function parseVisit(line: string): readonly Visit[] {
  if (!line.startsWith('{"at":')) return [];
  try {
    return [JSON.parse(line) as Visit];
  } catch {
    return [];
  }
}
