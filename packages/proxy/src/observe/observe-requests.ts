import type { Clock } from "@weft/base/clock";
import type { BootstrapPlan } from "../config/bootstrap.ts";
import type { DataPlane } from "../data-plane.ts";
import { localPeerMetadata } from "../telemetry/peer-metadata.ts";
import { configChanges } from "./config-changes.ts";
import { RequestObserver } from "./request-observer.ts";
import { serveRequests } from "./serve-requests.ts";

/** Lets the agent of a proxy watch its requests. @throws UserError when the socket cannot be had */
export function observeRequests(
  { observation, live }: Pick<DataPlane, "observation" | "live">,
  { message }: BootstrapPlan,
  path: string,
  clock: Clock,
): Promise<{ close(): void }> {
  const observer = new RequestObserver({
    clock,
    observation,
    local: localPeerMetadata(message.node?.metadata ?? {}),
    annotate: (facts) => ({ changes: configChanges(live, facts) }),
  });
  return serveRequests({ path, clock, observer });
}
