import type { UpstreamTlsPlan } from "../net/tls-plan.ts";
import type { TransportPlan } from "./cluster-plan.ts";

/** The transport whose criteria are all among `metadata`, first match wins; undefined is plaintext. */
export function matchTransport(
  transports: readonly TransportPlan[],
  metadata: ReadonlyMap<string, string> | undefined,
): UpstreamTlsPlan | undefined {
  const found = transports.find(({ match }) => match.every(([key, value]) => metadata?.get(key) === value));
  return found?.tls;
}
