import type { Clock } from "@weft/base/clock";
import type { BootstrapPlan } from "../config/bootstrap.ts";
import type { DataPlane } from "../data-plane.ts";
import { localPeerMetadata } from "../telemetry/peer-metadata.ts";
import { configChanges } from "./config-changes.ts";
import { RequestObserver } from "./request-observer.ts";
import { type OtherWorkers, RequestsOfWorkers } from "./requests-of-workers.ts";
import { serveRequests } from "./serve-requests.ts";

type Observed = Pick<DataPlane, "observation" | "live">;

/** Looks at the requests of one worker. */
export function observeWorker(
  { observation, live }: Observed,
  { message }: BootstrapPlan,
  clock: Clock,
): RequestObserver {
  return new RequestObserver({
    clock,
    observation,
    local: localPeerMetadata(message.node?.metadata ?? {}),
    annotate: (facts) => ({ changes: configChanges(live, facts) }),
  });
}

/** Lets the agent of a proxy watch its requests, those of all its workers. @throws UserError when the socket cannot be had */
export function observeRequests(
  plane: Observed,
  bootstrap: BootstrapPlan,
  path: string,
  clock: Clock,
  others: OtherWorkers | undefined,
): Promise<{ close(): void }> {
  const own = observeWorker(plane, bootstrap, clock);
  const requests = others ? new RequestsOfWorkers(own, others, clock) : own;
  return serveRequests({ path, clock, requests });
}
