import type { WorkloadView } from "@weft/control/api/mesh-protocol";
import type { EndpointPlan, TransportPlan } from "@weft/proxy/cluster/cluster-plan";
import type { CallTrace, DryRequest } from "@weft/proxy/explain/call-trace";
import type { DryProxy } from "@weft/proxy/explain/dry-proxy";
import { placed } from "./caller-steps.ts";
import type { DestinationOutcome, Problem, Step } from "./explanation.ts";
import type { MeshReader } from "./mesh-reader.ts";
import { ofFamily } from "./of-family.ts";
import { policyPlace } from "./places.ts";
import { policySteps } from "./policy-steps.ts";

/** What the proxy of one callee makes of a call, and the steps that say so. */
export interface CalleeView {
  readonly steps: readonly Step[];
  readonly problem: Problem | undefined;
  readonly trace: CallTrace;
}

export interface Hop {
  readonly caller: WorkloadView;
  readonly callee: WorkloadView;
  readonly endpoint: EndpointPlan;
  readonly transport: TransportPlan | undefined;
  /** Undefined for bytes. */
  readonly request: DryRequest | undefined;
}

export function identityOf(uri: string) {
  return { uris: [uri], dnsNames: [], subject: "", fingerprint: "" };
}

/** How the hop to an endpoint is secured. */
export function securityOf(transport: TransportPlan | undefined): DestinationOutcome["tls"] {
  if (!transport?.tls) return "none";
  return transport.tls.alpnProtocols.includes("istio") ? "mutual" : "tls";
}

/** Takes a call to the proxy of an endpoint: identity both ways, filter chain, policies. */
export async function viewCallee(hop: Hop, proxy: DryProxy, reader: MeshReader): Promise<CalleeView> {
  const { caller, callee, endpoint, transport, request } = hop;
  const at = callee.id;
  const local = reachedAt(endpoint, caller);
  const security = securityOf(transport);
  const isTls = security !== "none";
  const listener =
    callee.interception === "NONE" && endpoint.address.kind === "ip"
      ? `inbound_${endpoint.address.host}_${endpoint.address.port}`
      : "virtualInbound";
  const trace = await proxy.call({
    listener,
    handedTo: [],
    facts: {
      local,
      remote: {
        kind: "ip",
        host: ofFamily(caller.addresses, local.kind === "ip" ? [local.host] : []),
        port: 40_000,
      },
      serverName: transport?.tls?.sni ?? "",
      transportProtocol: isTls ? "tls" : "raw_buffer",
      applicationProtocols: transport?.tls?.alpnProtocols ?? [],
    },
    peer: security === "mutual" ? identityOf(caller.identity) : undefined,
    request,
  });
  const steps: Step[] = [];
  const matchesSan = transport?.tls?.matchesSan;
  const isTrusted = !matchesSan || matchesSan(identityOf(callee.identity));
  if (security === "mutual") {
    steps.push({
      at,
      step: "identity",
      chosen: callee.identity,
      detail: isTrusted ? `asked for by ${caller.identity}` : "the caller expects another identity",
    });
  }
  const mode = trace.chain ? (trace.chain.isTls ? "mutual TLS" : "plain text") : "no such connections";
  steps.push({
    at,
    step: "inbound",
    chosen: trace.chain?.name || trace.listener?.name || "none",
    detail: `takes ${mode} here`,
    ...placed(trace.listener?.origin),
  });
  steps.push(...(await policySteps(trace, at, reader)));
  const asked = trace.http?.asked ?? [];
  if (asked.length > 0) {
    steps.push({ at, step: "authorization", chosen: "asked", detail: `${asked.join(", ")} decides` });
  }
  return { steps, trace, problem: await problemOf(trace, security, isTrusted, callee, reader) };
}

/** The first of the endpoint's addresses that the caller has a way to. */
function reachedAt({ address, otherAddresses = [] }: EndpointPlan, { addresses }: WorkloadView) {
  const all = [address, ...otherAddresses];
  const hosts = all.flatMap((one) => (one.kind === "ip" ? [one.host] : []));
  const host = ofFamily(hosts, addresses);
  return all.find((one) => one.kind === "ip" && one.host === host) ?? address;
}

async function problemOf(
  trace: CallTrace,
  security: DestinationOutcome["tls"],
  isTrusted: boolean,
  callee: WorkloadView,
  reader: MeshReader,
): Promise<Problem | undefined> {
  const broken = (why: string): Problem => ({
    status: 503,
    flags: "UF",
    details: "upstream_reset_before_response_started{connection_termination}",
    why,
  });
  if (!isTrusted)
    return broken(`${callee.id} proves to be ${callee.identity}, which the caller does not accept`);
  if (!trace.listener) return broken(`${callee.id} does not listen there`);
  if (!trace.chain) {
    const offered = security === "none" ? "plain text" : "this TLS";
    return broken(`${callee.id} takes no ${offered}: it asks for mutual TLS of the mesh`);
  }
  const { reply } = trace.http ?? {};
  const details = reply?.details ?? trace.refusal;
  if (details === undefined) return undefined;
  const policy = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1];
  if (policy === undefined) {
    if (reply)
      return { status: reply.status, flags: reply.flags, details, why: `${callee.id} answers itself` };
    return broken(details);
  }
  const place = policy === "none" ? undefined : await policyPlace(reader, policy);
  return {
    ...(reply ? { status: reply.status, flags: reply.flags } : { status: 503, flags: "UC" }),
    details,
    why: place ? `${place.title} denies it` : `no ALLOW policy of ${callee.id} is for it`,
    ...(place && { policy: { name: place.title, ...(place.origin && { origin: place.origin }) } }),
  };
}
