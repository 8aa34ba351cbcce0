import type { ObservedPhase, ObservedRequest, PeerFilter, WatchPlan } from "@weft/xds/observed-request";

/** Whether a request is among those that are watched; undefined while that cannot be told. */
export function isWatched(
  plan: WatchPlan,
  request: ObservedRequest,
  phase: ObservedPhase,
): boolean | undefined {
  const { direction, method, path, status, upstreamHost } = request;
  const peer = direction === "outbound" ? plan.outbound : direction === "inbound" ? plan.inbound : undefined;
  if (!peer) return false;
  if (plan.method && plan.method !== method) return false;
  if (plan.pathPrefix && !path.startsWith(plan.pathPrefix)) return false;
  const { statusMin = 0, statusMax = 0 } = plan;
  const wantsStatus = statusMin > 0 || statusMax > 0;
  if (wantsStatus && phase === "req") return undefined;
  if (wantsStatus && (status < statusMin || status > (statusMax || 599))) return false;
  if (isAnybody(peer)) return true;
  if (direction === "outbound")
    return phase === "req" && upstreamHost === "" ? undefined : isDestination(peer, request);
  return isSource(peer, request);
}

function isAnybody({ identities, workloads, hosts, addresses }: PeerFilter): boolean {
  return [identities, workloads, hosts, addresses].every((names) => !names?.length);
}

/** Where it went, or was to go: by the endpoint's workload where that is known, else by the host. */
function isDestination(
  peer: PeerFilter,
  { destination, cluster, authority, upstreamHost }: ObservedRequest,
): boolean {
  const workload = destination?.workload ?? "";
  if (workload !== "" && peer.workloads?.length) return peer.workloads.includes(workload);
  const host = cluster.split("|")[3] || authority.replace(/:\d+$/, "");
  return peer.hosts?.includes(host) === true || peer.addresses?.includes(hostOf(upstreamHost)) === true;
}

/** Who called: by what the certificate proves and the sidecar said, else by the address. */
function isSource(peer: PeerFilter, { source, downstreamRemote }: ObservedRequest): boolean {
  const { workload = "", identity = "" } = source ?? {};
  if (identity === "") return peer.addresses?.includes(hostOf(downstreamRemote)) === true;
  if (!peer.identities?.includes(identity)) return false;
  return workload === "" || !peer.workloads?.length || peer.workloads.includes(workload);
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}
