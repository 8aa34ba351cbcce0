import type { OtherDocument } from "../config/parse-config.ts";
import type { ConfigResource, ResourceOf } from "../config/resource.ts";
import { hasLabels, selectsWorkloads } from "../model/host.ts";
import { declaredProtocol } from "../model/protocol.ts";
import type { Workload, WorkloadPort } from "../registry/workload.ts";

type Labels = Readonly<Record<string, string>>;

/** What of a pod's template counts here; anything may be missing or of another type. */
interface PodTemplate {
  readonly metadata?: { readonly labels?: unknown; readonly annotations?: unknown };
  readonly spec?: { readonly serviceAccountName?: unknown; readonly containers?: unknown };
}

/** Kinds that run pods, and where the pod stands in them. */
const templateOf: Readonly<Record<string, (value: Nested) => unknown>> = {
  Deployment: (value) => value.spec?.template,
  StatefulSet: (value) => value.spec?.template,
  DaemonSet: (value) => value.spec?.template,
  ReplicaSet: (value) => value.spec?.template,
  Pod: (value) => value,
};

interface Nested {
  readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown };
  readonly spec?: { readonly template?: unknown };
}

/** Whether a document says that something runs. */
export function runsPods({ kind, apiVersion }: OtherDocument): boolean {
  return kind in templateOf && (apiVersion.startsWith("apps/") || apiVersion === "v1");
}

export interface WrittenWorkloads {
  readonly workloads: readonly Workload[];
  /** Of them those that nothing but a Service speaks of: `default/reviews`. */
  readonly standIns: readonly string[];
  /** Ids of those whose pods ask for gRPC without a sidecar, as Istio's injection has it. */
  readonly proxyless: readonly string[];
}

/**
 * What runs, as far as YAML tells: one instance of each Deployment and the like,
 * with a sidecar. A Service that selects none of them is taken to be served all
 * the same, once for each subset that a DestinationRule names.
 *
 * For questions about a mesh that is not running; addresses are made up.
 */
export function writtenWorkloads(
  resources: readonly ConfigResource[],
  others: readonly OtherDocument[],
): WrittenWorkloads {
  const services = resources.filter((resource) => resource.kind === "Service");
  const rules = resources.filter((resource) => resource.kind === "DestinationRule");
  const taken = new Set<string>();
  const workloads: Workload[] = [];
  const standIns: string[] = [];
  const proxyless: string[] = [];
  const add = (workload: Omit<Workload, "id" | "addresses">) => {
    const id = `${workload.name}.${workload.namespace}`;
    if (taken.has(id)) return;
    taken.add(id);
    workloads.push({ ...workload, id, addresses: [addressOf(workloads.length)] });
    return id;
  };
  for (const document of others.filter(runsPods)) {
    const pod = readPod(document);
    const id = pod && add({ ...pod.workload, ports: namedPorts(pod.workload, document, services) });
    if (id && pod.isProxyless) proxyless.push(id);
  }
  for (const service of services) {
    const { selector } = service.spec;
    if (
      !selectsWorkloads(selector) ||
      workloads.some((w) => w.namespace === service.namespace && hasLabels(w.labels, selector))
    )
      continue;
    standIns.push(`${service.namespace}/${service.name}`);
    for (const { name, labels } of subsetsOf(service, rules)) {
      const own = { ...selector, ...labels };
      add({ ...base(`${service.name}${name && `-${name}`}`, service.namespace, own, "default"), ports: [] });
    }
  }
  return { workloads, standIns, proxyless };
}

function base(name: string, namespace: string, labels: Labels, serviceAccount: string) {
  return {
    name,
    workloadName: name,
    namespace,
    serviceAccount,
    service: "",
    labels,
    interception: "REDIRECT" as const,
    upstreams: [],
    isHealthy: true,
    hasSidecar: true,
  };
}

type Pod = ReturnType<typeof base>;

function readPod({
  kind,
  value,
}: OtherDocument): { readonly workload: Pod; readonly isProxyless: boolean } | undefined {
  const nested = value as Nested;
  const template = templateOf[kind]?.(nested) as PodTemplate | undefined;
  const name = nested.metadata?.name;
  if (typeof template !== "object" || template === null || typeof name !== "string") return undefined;
  const namespace = typeof nested.metadata?.namespace === "string" ? nested.metadata.namespace : "default";
  const labels = textsOf(template.metadata?.labels);
  const account = template.spec?.serviceAccountName;
  const pod = base(name, namespace, labels, typeof account === "string" ? account : "default");
  const marks = { ...textsOf(template.metadata?.annotations), ...labels };
  const workload = { ...pod, hasSidecar: marks["sidecar.istio.io/inject"] !== "false" };
  const templates = (marks["inject.istio.io/templates"] ?? "").split(",").map((name) => name.trim());
  return { workload, isProxyless: templates.includes("grpc-agent") };
}

/** Ports that a Service refers to by the name they have in the pod; what is not named a Service says itself. */
function namedPorts(
  pod: Pod,
  document: OtherDocument,
  services: readonly ResourceOf<"Service">[],
): WorkloadPort[] {
  const ports: WorkloadPort[] = [];
  for (const { name, containerPort } of containerPorts(document)) {
    const service = services
      .filter(
        ({ namespace, spec }) =>
          namespace === pod.namespace &&
          selectsWorkloads(spec.selector) &&
          hasLabels(pod.labels, spec.selector),
      )
      .flatMap(({ spec }) => spec.ports ?? [])
      .find(({ targetPort }) => targetPort === name);
    if (!service) continue;
    const protocol = declaredProtocol(service) ?? declaredProtocol({ name }) ?? "tcp";
    ports.push({ port: containerPort, listenPort: containerPort, name, protocol });
  }
  return ports;
}

function containerPorts({ kind, value }: OtherDocument): { name: string; containerPort: number }[] {
  const template = templateOf[kind]?.(value as Nested) as PodTemplate | undefined;
  const containers = template?.spec?.containers;
  if (!Array.isArray(containers)) return [];
  return containers.flatMap((container: { ports?: unknown } | null) =>
    Array.isArray(container?.ports)
      ? container.ports.filter(
          (port): port is { name: string; containerPort: number } =>
            typeof port?.name === "string" && Number.isInteger(port?.containerPort),
        )
      : [],
  );
}

/** The subsets of the rules for a service by its short or full name; one without labels where there is none. */
function subsetsOf(
  { name, namespace }: ResourceOf<"Service">,
  rules: readonly ResourceOf<"DestinationRule">[],
): { readonly name: string; readonly labels: Labels }[] {
  const subsets = rules
    .filter(({ spec, namespace: own }) => {
      const { host } = spec;
      return (host === name && own === namespace) || host.startsWith(`${name}.${namespace}.svc`);
    })
    .flatMap(({ spec }) => spec.subsets ?? [])
    .map((subset) => ({ name: subset.name, labels: subset.labels ?? {} }));
  return subsets.length > 0 ? subsets : [{ name: "", labels: {} }];
}

function textsOf(value: unknown): Labels {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === "string"),
  );
}

/** From 10.128.0.0/9, in order. */
function addressOf(index: number): string {
  const number = index + 1;
  return `10.${128 + ((number >> 16) & 127)}.${(number >> 8) & 255}.${number & 255}`;
}
