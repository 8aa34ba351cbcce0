import { TestCa } from "@weft/testkit/test-ca";
import type { KeySets } from "../model/key-source.ts";
import type { Workload } from "../registry/workload.ts";
import { workload } from "../translate/mesh-fixture.ts";
import { readEntries } from "./config-set.ts";

const cas = [new TestCa(), new TestCa()] as const;
const authorities = cas.map(({ bundlePem }) => bundlePem);
const certificates = cas.map((ca) => ca.leaf(undefined, undefined, { dnsNames: ["site.example"] }));

const istio = "networking.istio.io/v1";
const gatewayApi = "gateway.networking.k8s.io/v1";

/** Documents of every kind that shapes a mesh, by `kind namespace/name`; each may be written in several ways. */
export const documents: Readonly<Record<string, readonly string[]>> = {
  [`${istio} VirtualService default/api`]: [
    "spec: { hosts: [api], http: [{ route: [{ destination: { host: api } }] }] }",
    "spec: { hosts: [api], http: [{ timeout: 2s, route: [{ destination: { host: api, subset: v1 } }] }] }",
    "spec: { hosts: [api], http: [{ match: [{ sourceLabels: { app: web } }], route: [{ destination: { host: web } }] }, { route: [{ destination: { host: apo } }] }] }",
    "spec: { hosts: [api, '*.shop.example'], exportTo: ['.'], http: [{ route: [{ destination: { host: api } }], mirror: { host: web } }] }",
  ],
  [`${istio} VirtualService default/rival`]: [
    "spec: { hosts: [api], http: [{ route: [{ destination: { host: web } }] }] }",
    "spec: { hosts: [web, far.example], http: [{ delegate: { name: part } }, { route: [{ destination: { host: web, port: { number: 1 } } }] }] }",
  ],
  [`${istio} VirtualService default/part`]: [
    "spec: { http: [{ match: [{ uri: { prefix: /part } }], route: [{ destination: { host: api } }] }] }",
    "spec: { http: [{ timeout: 1s, route: [{ destination: { host: api, subset: v2 } }] }], exportTo: [shop] }",
  ],
  [`${istio} VirtualService shop/api`]: [
    "spec: { hosts: [api.default.svc.cluster.local], http: [{ route: [{ destination: { host: cart } }] }] }",
    "spec: { hosts: [cart], gateways: [edge, mesh], http: [{ route: [{ destination: { host: cart, subset: v1 } }] }] }",
    "spec: { hosts: [db.example], tcp: [{ route: [{ destination: { host: db.example, port: { number: 5432 } } }] }] }",
  ],
  [`${istio} DestinationRule default/api`]: [
    "spec: { host: api, subsets: [{ name: v1, labels: { version: v1 } }] }",
    "spec: { host: api, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }], trafficPolicy: { loadBalancer: { simple: RANDOM } } }",
    "spec: { host: api, exportTo: ['.'], subsets: [{ name: v2, labels: { version: v2 } }] }",
  ],
  [`${istio} DestinationRule shop/cart`]: [
    "spec: { host: cart, subsets: [{ name: v1, labels: { version: v1 } }] }",
    "spec: { host: nowhere, subsets: [{ name: v1, labels: { version: v1 } }] }",
  ],
  [`${istio} ServiceEntry shop/db`]: [
    "spec: { hosts: [db.example], resolution: STATIC, ports: [{ number: 5432, name: tcp, protocol: TCP }], endpoints: [{ address: 192.0.2.1 }] }",
    "spec: { hosts: [db.example, far.example], exportTo: ['.'], resolution: DNS, ports: [{ number: 9080, name: http, protocol: HTTP }] }",
  ],
  [`${istio} Gateway shop/edge`]: [
    "spec: { selector: { app: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }] }",
    "spec: { selector: { app: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [other.example] }] }",
  ],
  [`${istio} Sidecar shop/default`]: [
    "spec: { egress: [{ hosts: ['./*', 'default/api.default.svc.cluster.local'] }] }",
    "spec: { egress: [{ hosts: ['./*', 'default/apy.default.svc.cluster.local'] }] }",
  ],
  "v1 Service default/api": [
    "spec: { selector: { app: api }, ports: [{ name: http, port: 9080 }] }",
    "spec: { selector: { app: api }, ports: [{ name: http, port: 9080 }, { name: more, port: 7070 }] }",
    "spec: { clusterIP: None, selector: { app: api }, ports: [{ name: http, port: 9080 }] }",
  ],
  "security.istio.io/v1 AuthorizationPolicy default/api": [
    "spec: { selector: { matchLabels: { app: api } }, rules: [{ to: [{ operation: { methods: [GET] } }] }] }",
    "spec: { selector: { matchLabels: { app: gone } }, action: DENY, rules: [{}] }",
    "spec: {}",
  ],
  "security.istio.io/v1 PeerAuthentication default/default": [
    "spec: { mtls: { mode: PERMISSIVE } }",
    "spec: { mtls: { mode: DISABLE } }",
  ],
  [`${gatewayApi} HTTPRoute default/api`]: [
    "spec: { parentRefs: [{ group: '', kind: Service, name: api, port: 9080 }], rules: [{ backendRefs: [{ name: web, port: 9080 }] }] }",
    "spec: { parentRefs: [{ group: '', kind: Service, name: api }], rules: [{ backendRefs: [{ name: missing, port: 9080 }] }] }",
  ],
  [`${gatewayApi} TCPRoute shop/api`]: [
    "spec: { parentRefs: [{ group: '', kind: Service, name: cart }], rules: [{ backendRefs: [{ name: cart, port: 9080 }] }] }",
  ],
  [`${istio} Sidecar default/api`]: [
    "spec: { workloadSelector: { labels: { app: api } }, egress: [{ hosts: ['*/*'] }], ingress: [{ port: { number: 9080, name: http, protocol: HTTP }, defaultEndpoint: 127.0.0.1:9999 }] }",
    "spec: { workloadSelector: { labels: { version: v1 } }, outboundTrafficPolicy: { mode: REGISTRY_ONLY }, egress: [{ hosts: ['./*'] }] }",
  ],
  [`${istio} Sidecar istio-system/default`]: [
    "spec: { egress: [{ hosts: ['~/*'] }] }",
    "spec: { egress: [{ hosts: ['./*', 'shop/*'] }] }",
  ],
  [`${istio} DestinationRule default/wide`]: [
    "spec: { host: '*.default.svc.cluster.local', trafficPolicy: { outlierDetection: { consecutive5xxErrors: 7 } } }",
    "spec: { host: api, workloadSelector: { matchLabels: { app: web } }, trafficPolicy: { connectionPool: { tcp: { maxConnections: 7 } } } }",
  ],
  [`${istio} DestinationRule default/rival`]: [
    "spec: { host: api.default.svc.cluster.local, subsets: [{ name: v2, labels: { version: v2 } }] }",
    "spec: { host: out, trafficPolicy: { tls: { mode: SIMPLE, credentialName: site } } }",
  ],
  [`${istio} ServiceEntry default/vms`]: [
    "spec: { hosts: [vm.example], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 9080, name: http, protocol: HTTP }], workloadSelector: { labels: { app: vm } } }",
    "spec: { hosts: [vm.example, db.example, api.default.svc.cluster.local], resolution: STATIC, ports: [{ number: 9080, name: http, protocol: HTTP, targetPort: 80 }], workloadSelector: { labels: { app: api } } }",
    "spec: { hosts: [vm.example], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: vm.outer.example, labels: { app: vm } }] }",
  ],
  [`${istio} WorkloadEntry default/vm`]: [
    "spec: { address: 192.0.2.7, labels: { app: vm }, serviceAccount: vm }",
    "spec: { address: vm.outer.example, labels: { app: vm } }",
    "spec: { address: 10.0.0.2, labels: { app: api }, ports: { http: 81 } }",
  ],
  [`${istio} WorkloadGroup shop/vm`]: [
    "spec: { template: { serviceAccount: vm, ports: { http-web: 9080 }, labels: { app: cart } } }",
    "spec: { template: { serviceAccount: other, labels: { app: vm } } }",
    "spec: { metadata: { labels: { app: cart, version: v1 } }, template: { weight: 3, ports: { http-web: 7070 } } }",
  ],
  "networking.istio.io/v1beta1 ProxyConfig default/api": [
    "spec: { concurrency: 1 }",
    "spec: { selector: { matchLabels: { app: api } }, environmentVariables: { A: b } }",
  ],
  "networking.istio.io/v1beta1 ProxyConfig istio-system/all": [
    "spec: { concurrency: 2, environmentVariables: { A: c } }",
  ],
  "v1 Service default/listed": [
    "spec: { ports: [{ name: http, port: 9080 }] }",
    "spec: { clusterIP: 10.9.9.9, publishNotReadyAddresses: true, ports: [{ name: http, port: 9080 }] }",
    "spec: { type: ExternalName, externalName: far.outer.example, ports: [{ name: http, port: 80 }] }",
  ],
  "v1 Service shop/given": [
    "spec: { clusterIP: 10.9.9.9, selector: { app: cart }, ports: [{ name: http, port: 80, targetPort: 9080 }] }",
    "spec: { clusterIP: None, ports: [{ name: http, port: 9080 }] }",
  ],
  "v1 Endpoints default/listed": [
    "subsets: [{ addresses: [{ ip: 192.0.2.7 }, { ip: 10.0.0.2 }], ports: [{ name: http, port: 80 }] }]",
    "subsets: [{ notReadyAddresses: [{ ip: 192.0.2.7 }], ports: [{ name: other, port: 80 }] }]",
  ],
  "discovery.k8s.io/v1 EndpointSlice default/listed": [
    "addressType: IPv4\nendpoints: [{ addresses: [192.0.2.8] }]\nports: [{ name: http, port: 81 }]",
    "addressType: IPv4\nendpoints: [{ addresses: [192.0.2.7], conditions: { ready: false, serving: true, terminating: true } }]\nports: [{ name: http, port: 82 }]",
  ],
  "v1 Namespace shop": ["spec: {}"],
  [`${gatewayApi} ListenerSet shop/more`]: [
    "spec: { parentRef: { name: door }, listeners: [{ name: more, port: 8080, protocol: HTTP, hostname: more.example }] }",
    "spec: { parentRef: { name: door }, listeners: [{ name: more, port: 8081, protocol: TCP }] }",
  ],
  "v1 Service default/out": [
    "spec: { type: ExternalName, externalName: far.outer.example, ports: [{ name: http, port: 80 }] }",
    "spec: { type: ExternalName, externalName: api.default.svc.cluster.local }",
    "spec: { ports: [{ name: tcp, port: 9080 }] }",
  ],
  "v1 Service default/web": [
    "spec: { selector: { app: web, version: v1 }, ports: [{ name: http, port: 80, targetPort: 9080 }] }",
    "spec: { selector: {}, ports: [{ port: 9080 }], sessionAffinity: ClientIP, trafficDistribution: PreferClose }",
  ],
  "security.istio.io/v1 AuthorizationPolicy istio-system/all": [
    "spec: { action: DENY, rules: [{ from: [{ source: { namespaces: [shop] } }] }] }",
    "spec: { selector: { matchLabels: { version: v2 } }, rules: [{}] }",
  ],
  "security.istio.io/v1 AuthorizationPolicy shop/edge": [
    "spec: { targetRefs: [{ kind: Gateway, group: gateway.networking.k8s.io, name: door }], rules: [{}] }",
    "spec: { action: CUSTOM, provider: { name: nobody }, rules: [{}] }",
  ],
  "security.istio.io/v1 PeerAuthentication default/api": [
    "spec: { selector: { matchLabels: { app: api } }, mtls: { mode: PERMISSIVE }, portLevelMtls: { 9080: { mode: DISABLE } } }",
    "spec: { mtls: { mode: STRICT } }",
  ],
  "security.istio.io/v1 PeerAuthentication istio-system/all": [
    "spec: { mtls: { mode: PERMISSIVE } }",
    "spec: { selector: { matchLabels: { app: vm } }, mtls: { mode: DISABLE } }",
  ],
  "security.istio.io/v1 RequestAuthentication default/api": [
    "spec: { selector: { matchLabels: { app: api } }, jwtRules: [{ issuer: one, jwksUri: 'https://one.example/keys' }] }",
    "spec: { jwtRules: [{ issuer: two, jwksUri: 'https://two.example/keys' }, { issuer: one, jwksUri: 'https://one.example/keys' }] }",
  ],
  "security.istio.io/v1 RequestAuthentication default/gone": [
    "spec: { selector: { matchLabels: { app: gone } }, jwtRules: [{ issuer: one, jwksUri: 'https://one.example/keys' }] }",
  ],
  "telemetry.istio.io/v1 Telemetry default/all": [
    "spec: { accessLogging: [{ providers: [{ name: envoy }] }] }",
    "spec: { selector: { matchLabels: { app: api } }, metrics: [{ providers: [{ name: prometheus }], overrides: [{ disabled: true }] }] }",
    "spec: { tracing: [{ providers: [{ name: nobody }] }] }",
  ],
  "telemetry.istio.io/v1 Telemetry istio-system/all": [
    "spec: { accessLogging: [{ providers: [{ name: envoy }], filter: { expression: 'response.code >= 500' } }] }",
  ],
  [`${istio} Gateway shop/rival`]: [
    "spec: { selector: { app: edge }, servers: [{ port: { number: 80, name: tcp, protocol: TCP }, hosts: ['*'] }] }",
    "spec: { selector: { app: edge }, servers: [{ port: { number: 443, name: https, protocol: HTTPS }, hosts: [site.example], tls: { mode: SIMPLE, credentialName: site } }] }",
    "spec: { selector: { app: gone }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }] }",
  ],
  [`${gatewayApi} GatewayClass own`]: [
    "spec: { controllerName: weft.dev/gateway-controller }",
    "spec: { controllerName: istio.io/gateway-controller }",
    "spec: { controllerName: other.example/controller }",
  ],
  [`${gatewayApi} Gateway shop/door`]: [
    "spec: { gatewayClassName: own, allowedListeners: { namespaces: { from: Same } }, listeners: [{ name: http, port: 8080, protocol: HTTP, allowedRoutes: { namespaces: { from: All } } }] }",
    "spec: { gatewayClassName: weft, listeners: [{ name: https, port: 8443, protocol: HTTPS, hostname: site.example, tls: { certificateRefs: [{ name: site, namespace: default }] } }] }",
  ],
  [`${gatewayApi} ReferenceGrant default/doors`]: [
    "spec: { from: [{ group: gateway.networking.k8s.io, kind: Gateway, namespace: shop }], to: [{ group: '', kind: Secret }] }",
    "spec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop }], to: [{ group: '', kind: Service }] }",
  ],
  [`${gatewayApi} HTTPRoute shop/door`]: [
    "spec: { parentRefs: [{ name: door }], hostnames: [site.example], rules: [{ backendRefs: [{ name: cart, port: 9080 }] }] }",
    "spec: { parentRefs: [{ name: door }, { group: networking.istio.io, kind: ServiceEntry, name: db }], rules: [{ backendRefs: [{ name: api, namespace: default, port: 9080 }] }] }",
  ],
  [`${gatewayApi} GRPCRoute default/api`]: [
    "spec: { parentRefs: [{ group: '', kind: Service, name: api }], rules: [{ backendRefs: [{ name: web, port: 9080 }] }] }",
    "spec: { parentRefs: [{ group: '', kind: Service, name: web }], rules: [{ matches: [{ method: { service: a.B } }], backendRefs: [{ name: api, port: 9080 }] }] }",
  ],
  [`${gatewayApi} TLSRoute shop/db`]: [
    "spec: { hostnames: [db.example], parentRefs: [{ group: networking.istio.io, kind: ServiceEntry, name: db }], rules: [{ backendRefs: [{ name: cart, port: 9080 }] }] }",
  ],
  [`${gatewayApi} BackendTLSPolicy default/api`]: [
    "spec: { targetRefs: [{ group: '', kind: Service, name: api }], validation: { hostname: api.example, wellKnownCACertificates: System } }",
    "spec: { targetRefs: [{ group: '', kind: Service, name: web }, { group: '', kind: Service, name: api, sectionName: more }], validation: { hostname: web.example, caCertificateRefs: [{ group: '', kind: ConfigMap, name: authorities }] } }",
  ],
  [`${gatewayApi} BackendTLSPolicy shop/db`]: [
    "spec: { targetRefs: [{ group: networking.istio.io, kind: ServiceEntry, name: db }], validation: { hostname: db.example, wellKnownCACertificates: System } }",
  ],
  "v1 ConfigMap default/authorities": authorities.map((pem) => `data: { ca.crt: ${JSON.stringify(pem)} }`),
  "v1 Secret default/site": certificates.map(
    ({ chainPem, keyPem }) =>
      `type: kubernetes.io/tls\nstringData: { tls.crt: ${JSON.stringify(chainPem)}, tls.key: ${JSON.stringify(keyPem)} }`,
  ),
  "v1 Secret shop/site": [`type: Opaque\nstringData: { ca.crt: ${JSON.stringify(authorities[0])} }`],
  "flagger.app/v1beta1 Canary default/api": [
    "spec: { targetRef: { apiVersion: apps/v1, kind: Deployment, name: api }, service: { port: 9080 }, analysis: { interval: 1m, threshold: 1, maxWeight: 50, stepWeight: 10 } }",
  ],
  "flagger.app/v1beta1 MetricTemplate default/errors": [
    "spec: { provider: { type: prometheus, address: 'https://metrics.example' }, query: 'sum(errors)' }",
  ],
  "flagger.app/v1beta1 AlertProvider default/chat": [
    "spec: { type: slack, address: 'https://hooks.example/T/B', channel: alerts, username: weft }",
  ],
  "spire.spiffe.io/v1alpha1 ClusterFederatedTrustDomain west": [
    "spec: { trustDomain: west.example, bundleEndpointURL: 'https://west.example/', bundleEndpointProfile: { type: https_web } }",
    "spec: { trustDomain: cluster.local, bundleEndpointURL: 'https://west.example/', bundleEndpointProfile: { type: https_web } }",
  ],
};

/** A document in one of the ways it may be written. */
export function entriesOf(head: string, way: number) {
  const [apiVersion, kind, place = ""] = head.split(" ");
  const [name, namespace] = place.split("/").reverse();
  const bodies = documents[head]!;
  // By which a slice says whose it is.
  const labels = `labels: { kubernetes.io/service-name: ${name} }`;
  const metadata = namespace
    ? `{ name: ${name}, namespace: ${namespace}${kind === "EndpointSlice" ? `, ${labels}` : ""} }`
    : `{ name: ${name} }`;
  const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: ${metadata}\n${bodies[way % bodies.length]}\n`;
  return readEntries([{ name: `${head}.yaml`, text }], "store");
}

export const members: readonly Workload[] = [
  workload({ service: "web" }, 1),
  workload({ service: "api", version: "v1" }, 2),
  workload({ service: "api", version: "v2" }, 3),
  workload({ service: "cart", namespace: "shop" }, 4),
  {
    ...workload({ service: "", namespace: "shop" }, 5),
    id: "edge.shop",
    labels: { app: "edge", "gateway.networking.k8s.io/gateway-name": "door" },
    isGateway: true,
    interception: "NONE",
  },
  workload({ service: "web", namespace: "shop" }, 6),
  { ...workload({ service: "", namespace: "shop", name: "vm", ports: [] }, 7), labels: {}, group: "vm" },
  {
    ...workload({ service: "", name: "plain", version: "v1" }, 8),
    interception: "NONE",
    upstreams: [{ host: "api", port: 9080, bindAddress: "127.0.0.1", bindPort: 1 }],
  },
];

/** What may have been fetched of the keys that tokens are verified with, at one time and another. */
export const fetched: readonly KeySets[] = [
  new Map(),
  new Map([["https://one.example/keys", { state: "failed", problem: "nobody answers" }]]),
  new Map([["https://two.example/keys", { state: "failed", problem: "nobody is there" }]]),
];
