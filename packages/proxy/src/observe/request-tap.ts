import type { ObservedEvent, ObservedPhase, ObservedRequest, WatchPlan } from "@weft/xds/observed-request";
import { TokenBucket } from "../filters/rate-limit/token-bucket.ts";
import { isWatched } from "./is-watched.ts";

/** Where nothing is said. */
export const defaultMaxPerSecond = 100;

/** How many requests a watch is told of, in a second. */
export function tapLimit({ maxPerSecond }: WatchPlan, nowMs: number): TokenBucket {
  const perSecond = maxPerSecond || defaultMaxPerSecond;
  return new TokenBucket({ maxTokens: perSecond, tokensPerFill: perSecond, fillIntervalMs: 1000 }, nowMs);
}

type Verdict = "chosen" | "passed over";

/**
 * Chooses the requests that somebody watches, up to so many a second, and tells
 * each of them from its beginning to its end; of one that began before the
 * watching, or could be judged only by its answer, the beginning is made up for.
 */
export class RequestTap {
  readonly #plan: WatchPlan;
  readonly #emit: (event: ObservedEvent) => void;
  readonly #bucket: TokenBucket;
  readonly #verdicts = new WeakMap<object, Verdict>();
  /** Requests that were for this watch and over its limit. */
  limited = 0;

  constructor(plan: WatchPlan, emit: (event: ObservedEvent) => void, bucket: TokenBucket) {
    this.#plan = plan;
    this.#emit = emit;
    this.#bucket = bucket;
  }

  /** `exchange` is the request's identity; the same for all its phases. */
  offer(phase: ObservedPhase, exchange: object, request: ObservedRequest, nowMs: number): void {
    if (this.#plan.endsOnly === true && phase !== "end") return;
    let verdict = this.#verdicts.get(exchange);
    const isNew = verdict === undefined;
    if (verdict === undefined) {
      verdict = this.#judge(phase, request, nowMs);
      if (verdict === undefined) return;
      this.#verdicts.set(exchange, verdict);
    }
    if (verdict === "passed over") return;
    if (isNew && phase !== "req" && this.#plan.endsOnly !== true) {
      this.#emit({ phase: "req", request });
      if (phase === "end" && request.status) this.#emit({ phase: "rsp", request });
    }
    this.#emit({ phase, request });
  }

  #judge(phase: ObservedPhase, request: ObservedRequest, nowMs: number): Verdict | undefined {
    const isChosen = isWatched(this.#plan, request, phase);
    if (isChosen === undefined) return undefined;
    if (!isChosen) return "passed over";
    if (this.#bucket.take(nowMs)) return "chosen";
    this.limited += 1;
    return "passed over";
  }
}
