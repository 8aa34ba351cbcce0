import type { Clock } from "@weft/base/clock";
import type { Counter } from "@weft/base/metric-registry";
import { HeaderList } from "../../layer/header-list.ts";
import type { CalloutResult, Callouts } from "../callout.ts";
import { type KeySet, parseKeySet } from "./json-web-key-set.ts";

/** Where a provider's keys come from, and how long they are believed. @see RemoteJwks */
export interface RemoteKeysPlan {
  readonly cluster: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly path: string;
  readonly timeoutMs: number;
  readonly cacheMs: number;
  /** Fetches anew before the keys expire, so that no request waits for them again. */
  readonly refreshesEarly: boolean;
  /** Between a failed early fetch and the next. */
  readonly failedRefetchMs: number;
  readonly retries: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

export interface RemoteKeysDependencies {
  readonly clock: Clock;
  readonly callouts: Callouts;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly fetched: Counter;
  readonly failed: Counter;
}

const maxKeySetBytes = 256 * 1024;
/** A token that nobody's key fits makes requests wait for nothing new more often than this. */
const earlyShare = 0.8;

/**
 * Keys fetched from an issuer when the first request needs them, one fetch for
 * all who wait. Keys past their time are never used: while the issuer cannot be
 * reached, tokens fail.
 */
export class RemoteKeys {
  readonly #plan: RemoteKeysPlan;
  readonly #deps: RemoteKeysDependencies;
  #keys: KeySet | undefined = undefined;
  #fetchedMs = 0;
  #nextEarlyMs = 0;
  #isFetching = false;
  #waiting: ((keys: KeySet | undefined) => void)[] = [];
  /** Called when other keys than before are in force. */
  onChange: () => void = () => {};

  constructor(plan: RemoteKeysPlan, deps: RemoteKeysDependencies) {
    this.#plan = plan;
    this.#deps = deps;
  }

  /** The keys in force now, or undefined: then `fetch` brings them. */
  get current(): KeySet | undefined {
    if (!this.#keys) return undefined;
    const nowMs = this.#deps.clock.monotonicMs();
    const ageMs = nowMs - this.#fetchedMs;
    if (ageMs >= this.#plan.cacheMs) return undefined;
    const isDue = ageMs >= this.#plan.cacheMs * earlyShare && nowMs >= this.#nextEarlyMs;
    if (this.#plan.refreshesEarly && isDue && !this.#isFetching) this.#begin();
    return this.#keys;
  }

  /** Calls `onKeys` once, with undefined where none could be had. */
  fetch(onKeys: (keys: KeySet | undefined) => void): void {
    this.#waiting.push(onKeys);
    if (!this.#isFetching) this.#begin();
  }

  #begin(): void {
    this.#isFetching = true;
    this.#attempt(0);
  }

  #attempt(retry: number): void {
    const { cluster, authority, path, scheme, timeoutMs } = this.#plan;
    const head = {
      method: "GET",
      path,
      authority,
      scheme,
      upgrade: "",
      headers: new HeaderList(["accept", "application/json"]),
    };
    const request = { cluster, head, body: undefined, timeoutMs, maxResponseBytes: maxKeySetBytes };
    this.#deps.callouts.start(request, (result) => {
      const keys = keysIn(result);
      if (keys) this.#succeed(keys);
      else if (retry < this.#plan.retries) this.#retryLater(retry);
      else this.#fail();
    });
  }

  #retryLater(retry: number): void {
    const { backoffBaseMs, backoffMaxMs } = this.#plan;
    const { clock, random } = this.#deps;
    const delayMs = Math.min(backoffMaxMs, backoffBaseMs * 2 ** retry) * (0.5 + random() / 2);
    clock.setTimer(() => this.#attempt(retry + 1), delayMs);
  }

  #succeed(keys: KeySet): void {
    this.#deps.fetched.add();
    this.#keys = keys;
    this.#fetchedMs = this.#deps.clock.monotonicMs();
    this.onChange();
    this.#finish(keys);
  }

  #fail(): void {
    this.#deps.failed.add();
    this.#nextEarlyMs = this.#deps.clock.monotonicMs() + this.#plan.failedRefetchMs;
    this.#finish(undefined);
  }

  #finish(keys: KeySet | undefined): void {
    this.#isFetching = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const onKeys of waiting) onKeys(keys);
  }
}

function keysIn(result: CalloutResult): KeySet | undefined {
  if (result.kind !== "response" || result.head.status !== 200) return undefined;
  try {
    return parseKeySet(result.body.toString("utf8"));
  } catch {
    return undefined;
  }
}
