import type { WatchLine } from "@weft/proxy/observe/serve-requests";
import type { ObservedRequest, RecallPlan, WatchPlan } from "@weft/xds/observed-request";

/** Where the requests of a data plane can be seen. */
export interface RequestSource {
  /** Tells of requests from here on, until what is returned is called. */
  watch(plan: WatchPlan, onLine: (line: WatchLine) => void): () => void;
  /** Those it remembers. Rejects when it cannot be asked. */
  recall(plan: RecallPlan): Promise<readonly ObservedRequest[]>;
}
