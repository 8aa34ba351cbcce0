import type { Workload } from "@weft/control/registry/workload";

/** Of every kind whose change is measured. */
export const kinds = [
  "VirtualService",
  "HTTPRoute",
  "Service",
  "DestinationRule",
  "ServiceEntry",
  "WorkloadEntry",
  "AuthorizationPolicy",
  "PeerAuthentication",
  "RequestAuthentication",
  "Telemetry",
  "Sidecar",
  "Gateway",
] as const;

export type Kind = (typeof kinds)[number];

const istio = { network: "networking.istio.io/v1", security: "security.istio.io/v1" };
const routes: ReadonlySet<Kind> = new Set(["VirtualService", "HTTPRoute"]);
/** Of these every service has one; of the others one each in its turn. */
const everywhere: readonly Kind[] = ["Service", "DestinationRule", "AuthorizationPolicy"];
const inTurn = kinds.filter((kind) => !routes.has(kind) && !everywhere.includes(kind));

/** The kinds of the documents that are about one service. */
export function kindsOf(i: number): readonly Kind[] {
  const turn = i % (inTurn.length + 1);
  const further = inTurn[turn];
  return [...everywhere, ...(further ? ([further, "VirtualService"] as const) : (["HTTPRoute"] as const))];
}

/** Those whose routes are of the Gateway API are in a namespace of their own: there each service is its address. */
function namespaceOf(i: number): string {
  return kindsOf(i).includes("HTTPRoute") ? "routes" : "default";
}

/** The document of a kind about one service, in one of endlessly many versions. */
export function documentOf(kind: Kind, i: number, version: number): string {
  const { apiVersion, spec } = written[kind](i, version);
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: service-${i}, namespace: ${namespaceOf(i)} }\nspec:\n${spec}\n`;
}

/** All documents about one service. */
export function documentsOf(i: number): string {
  return kindsOf(i)
    .map((kind) => documentOf(kind, i, 0))
    .join("---\n");
}

type Written = (i: number, version: number) => { readonly apiVersion: string; readonly spec: string };

const written: Readonly<Record<Kind, Written>> = {
  Service: (i, version) => ({
    apiVersion: "v1",
    spec: `  selector: { app: service-${i} }
  ports: [{ name: http, port: 8080, targetPort: ${8080 + (version % 1000)} }]`,
  }),
  VirtualService: (i, version) => ({
    apiVersion: istio.network,
    spec: `  hosts: [service-${i}]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: service-${i}, subset: v2 } }]
    - timeout: ${version + 1}s
      route: [{ destination: { host: service-${i}, subset: v1 } }]`,
  }),
  HTTPRoute: (i, version) => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    spec: `  parentRefs: [{ group: "", kind: Service, name: service-${i}, port: 8080 }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /${version} } }]
      backendRefs: [{ name: service-${i}, port: 8080 }]`,
  }),
  DestinationRule: (i, version) => ({
    apiVersion: istio.network,
    spec: `  host: service-${i}
  trafficPolicy: { outlierDetection: { consecutive5xxErrors: ${version + 5} } }
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]`,
  }),
  ServiceEntry: (i, version) => ({
    apiVersion: istio.network,
    spec: `  hosts: [outer-${i}.example.com]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{ number: 8080, name: http, protocol: HTTP, targetPort: ${8080 + (version % 1000)} }]
  workloadSelector: { labels: { app: outer-${i + 1} } }`,
  }),
  WorkloadEntry: (i, version) => ({
    apiVersion: istio.network,
    spec: `  address: ${address(200, version)}
  labels: { app: outer-${i} }`,
  }),
  AuthorizationPolicy: (i, version) => ({
    apiVersion: istio.security,
    spec: `  selector: { matchLabels: { app: service-${i} } }
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/client-${version}] } }] }]`,
  }),
  PeerAuthentication: (i, version) => ({
    apiVersion: istio.security,
    spec: `  selector: { matchLabels: { app: service-${i} } }
  mtls: { mode: ${version % 2 === 0 ? "PERMISSIVE" : "DISABLE"} }`,
  }),
  RequestAuthentication: (i, version) => ({
    apiVersion: istio.security,
    spec: `  selector: { matchLabels: { app: service-${i} } }
  jwtRules: [{ issuer: "https://${version}.example.com", jwksUri: "https://keys.example.com/keys" }]`,
  }),
  Telemetry: (i, version) => ({
    apiVersion: "telemetry.istio.io/v1",
    spec: `  selector: { matchLabels: { app: service-${i} } }
  metrics: [{ providers: [{ name: prometheus }], overrides: [{ tagOverrides: { batch: { value: "'${version}'" } } }] }]`,
  }),
  Sidecar: (i, version) => ({
    apiVersion: istio.network,
    spec: `  workloadSelector: { labels: { app: service-${i} } }
  egress: [{ hosts: ["./service-${i}.default.svc.cluster.local", "./service-${version % 1000}.default.svc.cluster.local"] }]`,
  }),
  Gateway: (i, version) => ({
    apiVersion: istio.network,
    spec: `  selector: { app: edge }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["${i}-${version}.example.com"] }]`,
  }),
};

const behind = (i: number) => `service-${i}.${namespaceOf(i)}`;

/** Which workload's own resources a document is about. */
export const aboutWorkloads: ReadonlyMap<Kind, (i: number) => string> = new Map<Kind, (i: number) => string>([
  ["AuthorizationPolicy", behind],
  ["PeerAuthentication", behind],
  ["RequestAuthentication", behind],
  ["Telemetry", behind],
  ["Sidecar", behind],
  ["Service", behind],
  ["Gateway", () => "edge.default"],
]);

/** One that calls every service, one behind each, and a gateway. */
export function workloadsOf(services: number): readonly Workload[] {
  return [
    workload("client", "default", 0),
    { ...workload("edge", "default", 1), isGateway: true, interception: "NONE" },
    ...Array.from({ length: services }, (_, i) => workload(`service-${i}`, namespaceOf(i), i + 2)),
  ];
}

function workload(name: string, namespace: string, order: number): Workload {
  return {
    id: `${name}.${namespace}`,
    name,
    workloadName: name,
    namespace,
    serviceAccount: name,
    service: "",
    labels: { app: name, version: "v1" },
    addresses: [address(10, order)],
    ports: [],
    interception: "REDIRECT",
    upstreams: [],
    isHealthy: true,
    hasSidecar: true,
  };
}

function address(first: number, order: number): string {
  return `${first}.${(order >> 16) & 255}.${(order >> 8) & 255}.${order & 255}`;
}
