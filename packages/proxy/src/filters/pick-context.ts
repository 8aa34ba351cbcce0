import type { Cluster, PickContext } from "../cluster/cluster.ts";
import { requestHash } from "../cluster/request-hash.ts";
import type { HttpExchange } from "../layer/http-exchange.ts";
import { parseHostPort } from "../net/socket-address.ts";
import type { CallTarget } from "./call-target.ts";
import type { RetryTargets } from "./retry-targets.ts";

/** What the balancer may know of a request, and where it was tried before. */
export function pickContextOf(
  exchange: HttpExchange,
  cluster: Cluster,
  { action, choice }: CallTarget,
  tried: RetryTargets | undefined,
): PickContext {
  const { originalDstHeader, balancer } = cluster.plan;
  const named =
    originalDstHeader === undefined
      ? undefined
      : parseHostPort(exchange.request!.headers.get(originalDstHeader));
  return {
    subset: choice.subset,
    bound: tried ? undefined : exchange.boundTo,
    hash: requestHash(balancer, action.hashPolicy, exchange),
    originalDestination: named ?? exchange.connection.local,
    avoid: tried?.avoids,
    excludedPriorities: tried?.excludedPriorities,
  };
}
