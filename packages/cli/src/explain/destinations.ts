import type { WorkloadView } from "@weft/control/api/mesh-protocol";
import type { ClusterPlan, EndpointPlan, LocalityEndpoints } from "@weft/proxy/cluster/cluster-plan";
import { matchTransport } from "@weft/proxy/cluster/transport-match";
import type { ClusterShare, DryRequest } from "@weft/proxy/explain/call-trace";
import type { DryProxy } from "@weft/proxy/explain/dry-proxy";
import { securityOf, viewCallee } from "./callee.ts";
import { placed } from "./caller-steps.ts";
import { describeLocalities } from "./describe-localities.ts";
import { asPercent } from "./describe-policies.ts";
import type { DestinationOutcome, Problem, Step } from "./explanation.ts";
import type { MeshReader } from "./mesh-reader.ts";

/** Of one cluster, at most so many different workloads are asked what they make of a call. */
const maxCallees = 8;

interface Reached {
  readonly steps: readonly Step[];
  readonly destinations: readonly DestinationOutcome[];
}

/** Follows calls from clusters to endpoints, and asks the proxies there. */
export class Destinations {
  readonly #reader: MeshReader;
  readonly #proxyOf: (workloadId: string) => DryProxy;

  constructor(reader: MeshReader, proxyOf: (workloadId: string) => DryProxy) {
    this.#reader = reader;
    this.#proxyOf = proxyOf;
  }

  async reach(
    clusters: readonly ClusterShare[],
    caller: WorkloadView,
    request: DryRequest | undefined,
  ): Promise<Reached> {
    const reached: Reached[] = [];
    for (const share of clusters) reached.push(await this.#reachOne(share, caller, request));
    return {
      steps: reached.flatMap(({ steps }) => steps),
      destinations: reached.flatMap(({ destinations }) => destinations),
    };
  }

  async #reachOne(
    { cluster: name, share }: ClusterShare,
    caller: WorkloadView,
    request: DryRequest | undefined,
  ): Promise<Reached> {
    const proxy = this.#proxyOf(caller.id);
    const plan = await proxy.cluster(name);
    const [, port = "0", subset = "", service = name] = /^outbound\|(\d+)\|([^|]*)\|(.+)$/.exec(name) ?? [];
    const base = { cluster: name, service, subset, port: Number(port), percent: asPercent(share) };
    const at = caller.id;
    const part = share < 1 ? `${asPercent(share)} % to ` : "";
    if (!plan) {
      const why = `there is no cluster ${name}: no service ${service} is known`;
      const problem = { status: 503, flags: "NC", details: "cluster_not_found", why };
      const step: Step = { at, step: "cluster", chosen: `${part}${name}`, detail: why };
      return {
        steps: [step],
        destinations: [{ ...base, endpoints: 0, workloads: [], tls: "none", problem }],
      };
    }
    const cluster: Step = {
      at,
      step: "cluster",
      chosen: `${part}${name}`,
      detail: clusterText(plan),
      ...placed(plan.origin),
    };
    const localities = await localitiesOf(plan, proxy);
    if (!localities) {
      const step: Step = { at, step: "endpoint", chosen: "the address that was called" };
      const destination = { ...base, endpoints: 1, workloads: [], tls: securityOf(plan.transports[0]) };
      return { steps: [cluster, step], destinations: [destination] };
    }
    const endpoints = localities.flatMap((locality) => locality.endpoints);
    if (endpoints.length === 0) {
      const why = name === "BlackHoleCluster" ? "it leads nowhere" : `no endpoint of ${name} is there`;
      const problem = { status: 503, flags: "UH", details: "no_healthy_upstream", why };
      const step: Step = { at, step: "endpoint", chosen: "none", detail: why };
      return {
        steps: [cluster, step],
        destinations: [{ ...base, endpoints: 0, workloads: [], tls: "none", problem }],
      };
    }
    const callees = await this.#callees(endpoints);
    const steps: Step[] = [cluster];
    const problems: (Problem | undefined)[] = [];
    const [first] = endpoints;
    const transport = transportOf(plan, first!);
    const tls = securityOf(transport);
    const workloads = callees.map(({ workload }) => workload.id);
    const shown = workloads.length > 0 ? ` (${workloads.join(", ")})` : "";
    const order = describeLocalities(localities, plan.isLocalityWeighted ?? false);
    steps.push({
      at,
      step: "endpoint",
      chosen: `${count(endpoints.length)}${shown}`,
      ...(order === undefined ? {} : { detail: order, ...placed(plan.origin) }),
    });
    steps.push({ at, step: "tls", chosen: tlsText(tls, transport?.tls?.sni), ...placed(plan.origin) });
    for (const { workload: callee, endpoint } of callees) {
      const hop = { caller, callee, endpoint, transport: transportOf(plan, endpoint), request };
      const view = await viewCallee(hop, this.#proxyOf(callee.id), this.#reader);
      problems.push(view.problem);
      const isNews = !steps.some((step) => isSameAs(step, view.steps));
      if (isNews) steps.push(...view.steps);
    }
    const problem = problems.every((one) => one !== undefined) ? problems[0] : undefined;
    const destination: DestinationOutcome = { ...base, endpoints: endpoints.length, workloads, tls };
    return { steps, destinations: [problem ? { ...destination, problem } : destination] };
  }

  /** The workloads behind endpoints, one of each deployment. */
  async #callees(
    endpoints: readonly EndpointPlan[],
  ): Promise<{ readonly workload: WorkloadView; readonly endpoint: EndpointPlan }[]> {
    const found = new Map<string, { readonly workload: WorkloadView; readonly endpoint: EndpointPlan }>();
    for (const endpoint of endpoints) {
      const deployment = endpoint.metadata.get("istio")?.get("workload");
      if (deployment === undefined || found.has(deployment) || found.size === maxCallees) continue;
      if (endpoint.address.kind !== "ip") continue;
      const { workloads } = await this.#reader.findWorkloads({ address: endpoint.address.host });
      const [name, namespace] = deployment.split(";");
      const workload = workloads.find((one) => one.workloadName === name && one.namespace === namespace);
      if (workload) found.set(deployment, { workload, endpoint });
    }
    return [...found.values()];
  }
}

async function localitiesOf(
  plan: ClusterPlan,
  proxy: DryProxy,
): Promise<readonly LocalityEndpoints[] | undefined> {
  const { discovery } = plan;
  switch (discovery.kind) {
    case "eds": {
      const assignment = await proxy.endpoints(discovery.serviceName || plan.name);
      return assignment?.localities ?? [];
    }
    case "static":
    case "strict-dns":
    case "logical-dns":
      return discovery.endpoints;
    default:
      return undefined;
  }
}

function transportOf({ transports }: ClusterPlan, { metadata }: EndpointPlan) {
  return matchTransport(transports, metadata.get("envoy.transport_socket_match"));
}

function clusterText({ balancer, discovery, protocol, outlier, breakers }: ClusterPlan): string {
  const words = [balancer.kind === "cluster-provided" ? discovery.kind : balancer.kind.replace("-", " ")];
  if (protocol === "http2") words.push("HTTP/2");
  if (outlier) words.push("outlier detection");
  const { maxPendingRequests, maxConnections } = breakers.default;
  if (maxPendingRequests < 1024) words.push(`at most ${maxPendingRequests} waiting requests`);
  if (maxConnections < 1024) words.push(`at most ${maxConnections} connections`);
  return words.join(", ");
}

function tlsText(tls: DestinationOutcome["tls"], sni: string | undefined): string {
  switch (tls) {
    case "mutual":
      return `mutual TLS${sni ? `, server name ${sni}` : ""}`;
    case "tls":
      return `TLS${sni ? `, server name ${sni}` : ""}`;
    case "none":
      return "none: plain text";
  }
}

function count(endpoints: number): string {
  return endpoints === 1 ? "1 endpoint" : `${endpoints} endpoints`;
}

/** Whether another deployment of the same service has been found to decide in the same way. */
function isSameAs(step: Step, others: readonly Step[]): boolean {
  const [first] = others;
  return (
    first !== undefined && step.at === first.at && step.step === first.step && step.chosen === first.chosen
  );
}
