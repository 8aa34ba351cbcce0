import type { TransportPlan } from "./cluster-plan.ts";

/** The transport whose criteria are all among `metadata`, first match wins; undefined is plaintext. */
export function matchTransport(
  transports: readonly TransportPlan[],
  metadata: ReadonlyMap<string, string> | undefined,
): TransportPlan | undefined {
  return transports.find(({ match }) => match.every(([key, value]) => metadata?.get(key) === value));
}
