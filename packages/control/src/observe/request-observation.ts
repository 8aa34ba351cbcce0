import type { RecallAnswer, RecallRequest, TapLine, TapRequest } from "../api/observe-protocol.ts";
import type { MeshView } from "../inspect/mesh-view.ts";
import { LineQueue } from "./line-queue.ts";
import type { RequestHub } from "./request-hub.ts";
import { selectRequests } from "./select-requests.ts";

/** What operators may ask about requests, by the names they have for workloads. */
export class RequestObservation {
  readonly #hub: RequestHub;
  readonly #view: () => MeshView;

  constructor(hub: RequestHub, view: () => MeshView) {
    this.#hub = hub;
    this.#view = view;
  }

  /** Until the signal aborts. @throws ApiRefusal */
  watch(asked: TapRequest, signal: AbortSignal): AsyncIterable<TapLine> {
    const { maxPerSecond, endsOnly } = asked;
    // Now, for its refusal; and again for each, as workloads come and go.
    selectRequests(asked, this.#view());
    let viewed: MeshView | undefined;
    let planOf: ReturnType<typeof selectRequests> | undefined;
    const lines = new LineQueue<TapLine>();
    const stop = this.#hub.watch(
      (id) => {
        const view = this.#view();
        if (view !== viewed) {
          viewed = view;
          planOf = trySelect(asked, view) ?? planOf;
        }
        const plan = planOf?.(id);
        return plan && { ...plan, ...(maxPerSecond && { maxPerSecond }), ...(endsOnly && { endsOnly }) };
      },
      (line) => lines.add(line),
    );
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    return lines.read(signal);
  }

  /** @throws ApiRefusal */
  recall(asked: RecallRequest): Promise<RecallAnswer> {
    const { requestId, sinceMs, limit, withHeaders } = asked;
    const planOf = selectRequests(asked, this.#view());
    return this.#hub.recall((id) => {
      const matching = planOf(id);
      return (
        matching && {
          matching,
          ...(requestId && { requestId }),
          ...(sinceMs && { sinceMs }),
          ...(limit && { limit }),
          ...(withHeaders && { withHeaders }),
        }
      );
    });
  }
}

/** Undefined while nobody of a name is there. */
function trySelect(asked: TapRequest, view: MeshView): ReturnType<typeof selectRequests> | undefined {
  try {
    return selectRequests(asked, view);
  } catch {
    return undefined;
  }
}
