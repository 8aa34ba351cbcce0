import { Backoff } from "@weft/base/backoff";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { parsePublicKeys } from "../config/public-keys.ts";
import type { FetchedKeys, KeySets, KeySource } from "../model/key-source.ts";

export interface KeySetCacheOptions {
  readonly clock: Clock;
  /** The text of a document. @throws Error */
  readonly fetch: (url: string, timeoutMs: number, signal: AbortSignal) => Promise<string>;
  /** Keys are others than before, or there are none any more. */
  readonly onChange: () => void;
  /** After every attempt, with what went wrong. */
  readonly onFetched: (url: string, problem: string | undefined) => void;
  readonly random?: () => number;
}

/** As Istio's. */
const refreshMs = 20 * 60_000;
/** Keys that could not be renewed for this long are no longer believed. */
const maxAgeMs = 24 * 3_600_000;
const retry = { baseMs: 1000, maxMs: 60_000 };
/** At once, and waiting. */
const maxSources = 1000;

interface Entry {
  readonly source: KeySource;
  readonly backoff: Backoff;
  readonly abort: AbortController;
  keys: FetchedKeys | undefined;
  fetchedAtMs: number;
  timer: Timer | undefined;
}

/**
 * The keys of every issuer that the configuration names, fetched and renewed.
 * What cannot be fetched is tried again; meanwhile what was fetched within a
 * day holds, and without it no key does.
 */
export class KeySetCache {
  readonly #options: KeySetCacheOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting = new Set<() => void>();
  #current: KeySets = new Map();

  constructor(options: KeySetCacheOptions) {
    this.#options = options;
  }

  /** What is known now; another object only when something has changed. */
  get current(): KeySets {
    return this.#current;
  }

  /** Follows these sources, and no others from here on. */
  follow(sources: readonly KeySource[]): void {
    const wanted = new Map(sources.slice(0, maxSources).map((source) => [source.url, source]));
    let isChanged = false;
    for (const [url, entry] of this.#entries) {
      const { timeoutMs, isDiscovered } = entry.source;
      const next = wanted.get(url);
      if (next && next.timeoutMs === timeoutMs && next.isDiscovered === isDiscovered) continue;
      stop(entry);
      this.#entries.delete(url);
      isChanged ||= entry.keys !== undefined;
    }
    for (const source of sources.slice(maxSources)) {
      const problem = `more than ${maxSources} key sets are not fetched`;
      this.#options.onFetched(source.url, problem);
    }
    for (const source of wanted.values()) if (!this.#entries.has(source.url)) this.#start(source);
    if (isChanged) this.#publish();
    this.#wake();
  }

  /** Resolves once every source has been asked, and not later than `withinMs`. */
  settled(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if ([...this.#entries.values()].some(({ keys }) => keys === undefined)) return;
        finish();
      };
      const finish = (): void => {
        timer.cancel();
        this.#waiting.delete(check);
        resolve();
      };
      const timer = this.#options.clock.setTimer(finish, withinMs);
      this.#waiting.add(check);
      check();
    });
  }

  close(): void {
    for (const entry of this.#entries.values()) stop(entry);
    this.#entries.clear();
    this.#wake();
  }

  #start(source: KeySource): void {
    const entry: Entry = {
      source,
      backoff: new Backoff({ ...retry, random: this.#options.random }),
      abort: new AbortController(),
      keys: undefined,
      fetchedAtMs: 0,
      timer: undefined,
    };
    this.#entries.set(source.url, entry);
    void this.#refresh(entry);
  }

  async #refresh(entry: Entry): Promise<void> {
    const { clock, onFetched } = this.#options;
    const { url } = entry.source;
    let problem: string | undefined;
    let next: FetchedKeys | undefined;
    try {
      next = { state: "fetched", text: await this.#keysOf(entry) };
    } catch (error) {
      problem = messageOf(error);
    }
    if (entry.abort.signal.aborted) return;
    if (next) {
      entry.fetchedAtMs = clock.monotonicMs();
      entry.backoff.reset();
    } else if (entry.keys?.state !== "fetched" || clock.monotonicMs() - entry.fetchedAtMs > maxAgeMs) {
      next = { state: "failed", problem: problem! };
    }
    entry.timer = clock.setTimer(
      () => void this.#refresh(entry),
      problem === undefined ? refreshMs : entry.backoff.nextMs(),
    );
    onFetched(url, problem);
    if (next && !isSame(next, entry.keys)) {
      entry.keys = next;
      this.#publish();
      this.#options.onChange();
    }
    this.#wake();
  }

  async #keysOf({ source, abort }: Entry): Promise<string> {
    const { fetch } = this.#options;
    const { url, isDiscovered, timeoutMs } = source;
    const address = isDiscovered ? keysAddress(await fetch(url, timeoutMs, abort.signal)) : url;
    const text = await fetch(address, timeoutMs, abort.signal);
    try {
      return parsePublicKeys(text).text;
    } catch (error) {
      throw new Error(`the document ${messageOf(error)}`, { cause: error });
    }
  }

  #publish(): void {
    const known = [...this.#entries].flatMap(([url, { keys }]) => (keys ? [[url, keys] as const] : []));
    this.#current = new Map(known);
  }

  #wake(): void {
    for (const check of [...this.#waiting]) check();
  }
}

/** `jwks_uri` of a discovery document. */
function keysAddress(text: string): string {
  let uri: unknown;
  try {
    uri = (JSON.parse(text) as { jwks_uri?: unknown } | null)?.jwks_uri;
  } catch {
    throw new Error("the issuer's discovery document is not JSON");
  }
  if (typeof uri === "string" && URL.canParse(uri)) return uri;
  throw new Error("the issuer's discovery document names no jwks_uri");
}

function isSame(a: FetchedKeys, b: FetchedKeys | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function stop(entry: Entry): void {
  entry.abort.abort();
  entry.timer?.cancel();
}
