import type { Clock } from "@weft/base/clock";
import type { ObservedEvent, ObservedRequest, RecallPlan, WatchPlan } from "@weft/xds/observed-request";
import type { ObservedRequests, Watch } from "./observed-requests.ts";
import type { RequestObserver } from "./request-observer.ts";
import { tapLimit } from "./request-tap.ts";
import { selectRecalled } from "./select-recalled.ts";

/** The workers beside the first. */
export interface OtherWorkers {
  /** `onEvent` is told which worker it is, 1 for the first of them, and how many were over its own limit so far. */
  watch(
    plan: WatchPlan,
    onEvent: (worker: number, event: ObservedEvent, limited: number) => void,
  ): { stop(): void };
  recall(plan: RecallPlan): Promise<readonly (readonly ObservedRequest[])[]>;
}

/**
 * The requests of all workers as those of one proxy: the limit of a watch is
 * for all of them together, and each request has an id of its own.
 */
export class RequestsOfWorkers implements ObservedRequests {
  readonly #own: RequestObserver;
  readonly #others: OtherWorkers;
  readonly #clock: Clock;

  constructor(own: RequestObserver, others: OtherWorkers, clock: Clock) {
    this.#own = own;
    this.#others = others;
    this.#clock = clock;
  }

  watch(plan: WatchPlan, emit: (event: ObservedEvent) => void): Watch {
    const clock = this.#clock;
    const limit = tapLimit(plan, clock.monotonicMs());
    const own = this.#own.watch(plan, emit, limit);
    /** Whether it is told, of requests of other workers that are not over. */
    const verdicts = new Map<string, boolean>();
    const limitedThere = new Map<number, number>();
    let limitedHere = 0;
    const others = this.#others.watch(plan, (worker, { phase, request }, limited) => {
      limitedThere.set(worker, limited);
      const id = `${request.id}.${worker}`;
      let isTold = verdicts.get(id);
      if (isTold === undefined) {
        isTold = limit.take(clock.monotonicMs());
        if (!isTold) limitedHere += 1;
      }
      if (phase === "end") verdicts.delete(id);
      else verdicts.set(id, isTold);
      if (isTold) emit({ phase, request: { ...request, id } });
    });
    return {
      get limited() {
        let sum = own.limited + limitedHere;
        for (const limited of limitedThere.values()) sum += limited;
        return sum;
      },
      stop() {
        own.stop();
        others.stop();
      },
    };
  }

  async recall(plan: RecallPlan): Promise<readonly ObservedRequest[]> {
    const all = await Promise.all([this.#own.recall(plan), this.#others.recall(plan)]);
    const others = all[1].flatMap((requests, i) =>
      requests.map((request) => ({ ...request, id: `${request.id}.${i + 1}` })),
    );
    return selectRecalled([...all[0], ...others], plan);
  }
}
