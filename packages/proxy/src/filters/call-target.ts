import type { ClusterDirectory } from "../cluster/cluster.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import type { ClusterChoice, ForwardAction } from "../route/route-plan.ts";
import type { RouterPlan } from "./router-plan.ts";

/** Where a request goes, and by which rules. */
export interface CallTarget {
  readonly action: ForwardAction;
  readonly choice: ClusterChoice;
  readonly plan: RouterPlan;
  readonly clusters: ClusterDirectory;
  readonly pools: PoolContext;
}
