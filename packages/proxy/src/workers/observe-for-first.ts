import type { RecallPlan, WatchPlan } from "@weft/xds/observed-request";
import type { Watch } from "../observe/observed-requests.ts";
import type { RequestObserver } from "../observe/request-observer.ts";
import type { FromWorker } from "./messages.ts";

/** The requests of a worker for those who ask the first one. */
export class ObserveForFirst {
  readonly #observer: RequestObserver;
  readonly #tell: (message: FromWorker) => void;
  readonly #watches = new Map<number, Watch>();

  constructor(observer: RequestObserver, tell: (message: FromWorker) => void) {
    this.#observer = observer;
    this.#tell = tell;
  }

  watch(watch: number, plan: WatchPlan): void {
    const own = this.#observer.watch(plan, (event) =>
      this.#tell({ t: "observed", watch, event, limited: own.limited }),
    );
    this.#watches.set(watch, own);
  }

  unwatch(watch: number): void {
    this.#watches.get(watch)?.stop();
    this.#watches.delete(watch);
  }

  recall(plan: RecallPlan): void {
    void this.#observer.recall(plan).then((requests) => this.#tell({ t: "recalled", requests }));
  }
}
