import type { Clock } from "@weft/base/clock";
import type { Enrolment } from "./enrolment/enrolment.ts";
import type { Svid } from "./enrolment/svid.ts";
import type { Ids } from "./launch.ts";
import type { AppMetricsPlace } from "./metrics/app-metrics-target.ts";
import type { MetricOptions } from "./metrics/metric-options.ts";
import type { CaptureExclusions } from "./run-options.ts";
import type { DataPlane } from "./sidecar/data-plane.ts";
import type { WorkloadPlan } from "./workload-plan.ts";

/** Everything that joining the mesh takes. */
export interface MemberOptions {
  readonly plan: WorkloadPlan;
  /** Undefined: the application is its own data plane, by gRPC's xDS. */
  readonly dataPlane: DataPlane | undefined;
  /** The application's user, where it is another than this process's. */
  readonly appOwner: Pick<Ids, "uid" | "gid"> | undefined;
  readonly productVersion: string;
  readonly enrolment: Enrolment;
  readonly accessLog: string | undefined;
  /** Where the application shows metrics of its own. */
  readonly appMetrics: AppMetricsPlace | undefined;
  readonly metrics: MetricOptions;
  readonly exclude: CaptureExclusions | undefined;
  /** Of the nft program; only with interception. */
  readonly nft: string | undefined;
  readonly setpriv: string | undefined;
  readonly isRoot: boolean;
  readonly clock: Clock;
  readonly talk: (line: string) => void;
  /** Gives the start up. */
  readonly stop: AbortSignal;
}

/** And what the preparation of a data plane takes beside it. */
export interface DataPlaneOptions extends MemberOptions {
  /** The data plane uses this for its handshakes from now on. */
  readonly onHeld: (svid: Svid) => void;
}
