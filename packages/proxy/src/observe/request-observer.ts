import type { Clock } from "@weft/base/clock";
import type {
  ObservedEvent,
  ObservedPhase,
  ObservedRequest,
  RecallPlan,
  WatchPlan,
} from "@weft/xds/observed-request";
import type { TokenBucket } from "../filters/rate-limit/token-bucket.ts";
import type { PeerMetadata } from "../layer/downstream-connection.ts";
import { describeRequest } from "./describe-request.ts";
import type { Observable, Observation, RequestMemory, RequestWatcher } from "./observation.ts";
import type { ObservedRequests, Watch } from "./observed-requests.ts";
import { RecentLanes } from "./recent-lanes.ts";
import { factsOf, type RequestFacts } from "./request-facts.ts";
import { RequestTap, tapLimit } from "./request-tap.ts";
import { selectRecalled } from "./select-recalled.ts";

export interface RequestObserverOptions {
  readonly clock: Clock;
  readonly observation: Observation;
  /** Who this proxy is for. */
  readonly local: PeerMetadata;
  /** What is said of a recalled request beside what it was. */
  readonly annotate?: (facts: RequestFacts) => Partial<ObservedRequest>;
}

/** Looks at a proxy's requests for those who ask: remembers some, and tells watchers of those they want to see. */
export class RequestObserver implements RequestWatcher, RequestMemory, ObservedRequests {
  readonly #options: RequestObserverOptions;
  readonly #recent: RecentLanes<RequestFacts>;
  readonly #taps = new Set<RequestTap>();
  /** Of requests that watchers were shown. */
  readonly #ids = new WeakMap<Observable, string>();
  #lastId = 0;

  constructor(options: RequestObserverOptions) {
    this.#options = options;
    this.#recent = new RecentLanes(options.clock.monotonicMs());
    options.observation.memory = this;
  }

  /** `limit` may be one that is shared. */
  watch(plan: WatchPlan, emit: (event: ObservedEvent) => void, limit?: TokenBucket): Watch {
    const { observation, clock } = this.#options;
    const tap = new RequestTap(plan, emit, limit ?? tapLimit(plan, clock.monotonicMs()));
    this.#taps.add(tap);
    observation.watcher = this;
    const stop = () => {
      this.#taps.delete(tap);
      if (this.#taps.size === 0) observation.watcher = undefined;
    };
    return {
      get limited() {
        return tap.limited;
      },
      stop,
    };
  }

  async recall(plan: RecallPlan): Promise<readonly ObservedRequest[]> {
    const { requestId = "", withHeaders = false } = plan;
    const { local, annotate } = this.#options;
    const sought = this.#recent.all.filter((facts) => requestId === "" || facts.requestId === requestId);
    return selectRecalled(
      sought.map((facts) => ({ ...describeRequest(facts, local, withHeaders), ...annotate?.(facts) })),
      plan,
    );
  }

  keep(exchange: Observable): void {
    const { flags, isLocalReply, response, endMs } = exchange;
    const status = response?.status ?? 0;
    const isFailing = status >= 500 || flags !== 0 || (isLocalReply && status >= 400);
    if (!this.#recent.takes(isFailing, endMs)) return;
    this.#recent.add(isFailing, factsOf(exchange, this.#idOf(exchange), endMs));
  }

  onForwarded(exchange: Observable): void {
    this.#offer("req", exchange);
  }

  onAnswered(exchange: Observable): void {
    this.#offer("rsp", exchange);
  }

  onOver(exchange: Observable): void {
    this.#offer("end", exchange);
  }

  #offer(phase: ObservedPhase, exchange: Observable): void {
    const { clock, local } = this.#options;
    const nowMs = clock.monotonicMs();
    const request = describeRequest(factsOf(exchange, this.#idOf(exchange), nowMs), local);
    for (const tap of this.#taps) tap.offer(phase, exchange, request, nowMs);
  }

  /** The same every time while somebody watches; nobody else is shown a request twice. */
  #idOf(exchange: Observable): string {
    const known = this.#ids.get(exchange);
    if (known !== undefined) return known;
    this.#lastId += 1;
    const id = String(this.#lastId);
    if (this.#taps.size > 0) this.#ids.set(exchange, id);
    return id;
  }
}
