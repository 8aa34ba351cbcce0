import { canarySupport } from "./canary-support.ts";
import { endpointSupport } from "./endpoint-support.ts";
import { type FieldSupport, oneOf, rows } from "./field-support.ts";
import { gatewayApiSupport } from "./gateway-api-support.ts";
import { telemetrySupport } from "./telemetry-support.ts";

const service = rows("Service");
const virtualService = rows("VirtualService");
const destinationRule = rows("DestinationRule");
const serviceEntry = rows("ServiceEntry");
const workloadEntry = rows("WorkloadEntry");
const workloadGroup = rows("WorkloadGroup");
const sidecar = rows("Sidecar");
const proxyConfig = rows("ProxyConfig");
const peerAuthentication = rows("PeerAuthentication");
const authorizationPolicy = rows("AuthorizationPolicy");
const requestAuthentication = rows("RequestAuthentication");
const gateway = rows("Gateway");
const namespace = rows("Namespace");
const secret = rows("Secret");
const configMap = rows("ConfigMap");
const federatedTrustDomain = rows("ClusterFederatedTrustDomain");

const socketsAreKept = "sockets beside a proxy are its agent's, and hold its key: name an IP address";
const notUnix = (value: unknown) => typeof value === "string" && !value.startsWith("unix:");
const modernTls = oneOf("TLS_AUTO", "TLSV1_2", "TLSV1_3");
const allZones =
  "the caller's region comes first, and calls go to all of its zones alike, as in Istio where proxies do not know their own service; localityLbSetting keeps them in the nearest";
const isOff = (value: unknown) => (value as { enabled?: boolean } | null)?.enabled === false;
const outside = "it has no meaning outside Kubernetes";

function poolRows(kind: ReturnType<typeof rows>, base: string): FieldSupport[] {
  return kind.yes(
    `${base}.tcp.maxConnections`,
    `${base}.tcp.connectTimeout`,
    `${base}.tcp.tcpKeepalive`,
    `${base}.tcp.idleTimeout`,
    `${base}.tcp.maxConnectionDuration`,
    `${base}.http.http1MaxPendingRequests`,
    `${base}.http.http2MaxRequests`,
    `${base}.http.maxRequestsPerConnection`,
    `${base}.http.maxRetries`,
    `${base}.http.idleTimeout`,
    `${base}.http.maxConcurrentStreams`,
    `${base}.http.useClientProtocol`,
    `${base}.http.http2KeepAlive`,
  );
}

/** The application is spoken to as its port says, or as its clients speak; upgraded it is not, as in Istio. */
function inboundPoolRows(base: string): FieldSupport[] {
  return [
    ...poolRows(sidecar, base),
    ...sidecar.idle([
      `${base}.http.h2UpgradePolicy`,
      "as in Istio the application is spoken to in the protocol of its port, or with useClientProtocol in its client's",
      oneOf("DEFAULT", "DO_NOT_UPGRADE"),
    ]),
  ];
}

function policyRows(base: string): FieldSupport[] {
  const http = `${base}.connectionPool.http`;
  const balancer = `${base}.loadBalancer`;
  return [
    ...poolRows(destinationRule, `${base}.connectionPool`),
    ...destinationRule.yes(
      `${http}.h2UpgradePolicy`,
      `${base}.outlierDetection`,
      `${base}.tls`,
      `${balancer}.simple`,
      `${balancer}.consistentHash`,
      `${balancer}.warmup`,
      `${balancer}.warmupDurationSecs`,
      `${balancer}.localityLbSetting`,
      `${balancer}.zoneAwareLbSetting.enabled`,
      `${balancer}.zoneAwareLbSetting.failover`,
      `${balancer}.zoneAwareLbSetting.failoverPriority`,
    ),
    ...destinationRule.skipped(
      [
        `${base}.outlierDetection.consecutiveErrors`,
        "Istio does not use it either: write consecutiveGatewayErrors or consecutive5xxErrors",
      ],
      [`${balancer}.zoneAwareLbSetting`, allZones, isOff],
      [`${balancer}.zoneAwareLbSetting.minClusterSize`, "calls go to all zones of a region"],
    ),
  ];
}

function policySetRows(base: string): FieldSupport[] {
  return [
    ...policyRows(base),
    ...policyRows(`${base}.portLevelSettings[]`),
    ...destinationRule.yes(
      `${base}.portLevelSettings[].port`,
      `${base}.retryBudget.percent`,
      `${base}.retryBudget.minRetryConcurrency`,
      `${base}.proxyProtocol`,
      `${base}.tunnel`,
    ),
    ...destinationRule.skipped([
      `${base}.retryBudget.budgetInterval`,
      "the budget counts the requests in flight, as it does in Envoy where no interval is given",
    ]),
  ];
}

/** Every row: the one place that says what is supported. */
export const fieldSupport: readonly FieldSupport[] = [
  ...gatewayApiSupport,
  ...telemetrySupport,
  ...canarySupport,
  ...endpointSupport,
  ...service.yes(
    "spec.selector",
    "spec.ports[]",
    "spec.publishNotReadyAddresses",
    "spec.sessionAffinity",
    "spec.type",
    "spec.externalName",
    "spec.clusterIP",
    "spec.clusterIPs",
    "spec.ipFamilies",
    "spec.ipFamilyPolicy",
  ),
  ...service.skipped(
    ["spec.ports[].protocol", "only TCP is carried by the mesh: this port is left out", oneOf("TCP")],
    ["spec.externalIPs", "the service is known by its own address only"],
    [
      "spec.trafficDistribution",
      "the nearest part of a locality is the subzone",
      oneOf("PreferClose", "PreferSameZone"),
    ],
    ["spec.internalTrafficPolicy", "endpoints are chosen without regard to the node", oneOf("Cluster")],
  ),
  ...service.idle(
    ["spec.sessionAffinityConfig", "a client keeps its endpoint for as long as there is one"],
    ["spec.ports[].nodePort", outside],
    ["spec.allocateLoadBalancerNodePorts", outside],
    ["spec.externalTrafficPolicy", outside],
    ["spec.healthCheckNodePort", outside],
    ["spec.loadBalancerClass", outside],
    ["spec.loadBalancerIP", outside],
    ["spec.loadBalancerSourceRanges", outside],
  ),

  ...virtualService.yes(
    "spec.hosts",
    "spec.exportTo",
    "spec.gateways",
    "spec.http[].name",
    "spec.http[].match[]",
    "spec.http[].route[]",
    "spec.http[].delegate",
    "spec.http[].redirect",
    "spec.http[].directResponse",
    "spec.http[].rewrite",
    "spec.http[].timeout",
    "spec.http[].retries",
    "spec.http[].fault.delay.fixedDelay",
    "spec.http[].fault.delay.percentage",
    "spec.http[].fault.delay.percent",
    "spec.http[].fault.abort.httpStatus",
    "spec.http[].fault.abort.grpcStatus",
    "spec.http[].fault.abort.percentage",
    "spec.http[].headers",
    "spec.http[].mirror",
    "spec.http[].mirrors",
    "spec.http[].mirrorPercentage",
    "spec.http[].mirrorPercent",
    "spec.http[].mirror_percent",
    "spec.http[].corsPolicy",
    "spec.tcp[].match[].port",
    "spec.tcp[].match[].destinationSubnets",
    "spec.tcp[].match[].sourceSubnet",
    "spec.tcp[].match[].sourceLabels",
    "spec.tcp[].match[].sourceNamespace",
    "spec.tcp[].match[].gateways",
    "spec.tcp[].route[]",
    "spec.tls[].match[].sniHosts",
    "spec.tls[].match[].port",
    "spec.tls[].match[].destinationSubnets",
    "spec.tls[].match[].sourceLabels",
    "spec.tls[].match[].sourceNamespace",
    "spec.tls[].match[].gateways",
    "spec.tls[].route[]",
  ),
  ...virtualService.refused(
    ["spec.http[].fault.delay.exponentialDelay", "write fixedDelay"],
    ["spec.http[].fault.abort.http2Error", "write httpStatus"],
  ),
  ...virtualService.skipped(["spec.http[].match[].statPrefix", "no statistics of its own are kept"]),

  ...destinationRule.yes(
    "spec.host",
    "spec.exportTo",
    "spec.workloadSelector",
    "spec.subsets[].name",
    "spec.subsets[].labels",
  ),
  ...policySetRows("spec.trafficPolicy"),
  ...policySetRows("spec.subsets[].trafficPolicy"),

  ...serviceEntry.yes(
    "spec.hosts",
    "spec.addresses",
    "spec.exportTo",
    "spec.ports",
    "spec.location",
    "spec.endpoints[].ports",
    "spec.endpoints[].labels",
    "spec.endpoints[].weight",
    "spec.endpoints[].serviceAccount",
    "spec.endpoints[].locality",
    "spec.workloadSelector",
    "spec.subjectAltNames",
  ),
  ...serviceEntry.refused(
    [
      "spec.resolution",
      "names are resolved as they are written, not as they are called: write DNS or STATIC",
      oneOf("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN"),
    ],
    ["spec.endpoints[].address", socketsAreKept, notUnix],
  ),
  ...serviceEntry.skipped(["spec.endpoints[].network", "all endpoints must be reachable directly"]),

  ...workloadEntry.yes("spec.ports", "spec.labels", "spec.weight", "spec.serviceAccount", "spec.locality"),
  ...workloadEntry.refused(["spec.address", socketsAreKept, notUnix]),
  ...workloadEntry.skipped(["spec.network", "all endpoints must be reachable directly"]),

  ...workloadGroup.yes(
    "spec.metadata.labels",
    "spec.template.ports",
    "spec.template.labels",
    "spec.template.weight",
    "spec.template.serviceAccount",
    "spec.template.locality",
    "spec.probe",
  ),
  ...workloadGroup.refused(["spec.template.address", "each workload says its own address"]),
  ...workloadGroup.skipped(["spec.template.network", "all endpoints must be reachable directly"]),
  ...workloadGroup.idle(["spec.metadata.annotations", "workloads have no annotations"]),

  ...sidecar.yes(
    "spec.workloadSelector",
    "spec.egress[].hosts",
    "spec.egress[].port",
    "spec.egress[].captureMode",
    "spec.outboundTrafficPolicy",
    "spec.ingress[].port",
    "spec.ingress[].captureMode",
    "spec.ingress[].defaultEndpoint",
    "spec.ingress[].tls.serverCertificate",
    "spec.ingress[].tls.privateKey",
    "spec.ingress[].tls.tlsCertificates[].serverCertificate",
    "spec.ingress[].tls.tlsCertificates[].privateKey",
    "spec.ingress[].tls.cipherSuites",
  ),
  ...inboundPoolRows("spec.inboundConnectionPool"),
  ...inboundPoolRows("spec.ingress[].connectionPool"),
  ...sidecar.refused(
    ["spec.egress[].bind", "name an IP address", notUnix],
    ["spec.ingress[].bind", "name an IP address", notUnix],
    ["spec.egress[].port.targetPort", "a listener has one port"],
    ["spec.ingress[].port.targetPort", "write defaultEndpoint"],
    ["spec.ingress[].tls.mode", "identities of others would be taken for the mesh's", oneOf("SIMPLE")],
    ["spec.ingress[].tls.minProtocolVersion", "TLS before 1.2 is not offered", modernTls],
    ["spec.ingress[].tls.maxProtocolVersion", "TLS before 1.2 is not offered", modernTls],
    ...["credentialName", "credentialNames", "caCertCredentialName"].map(
      (field) => [`spec.ingress[].tls.${field}`, "Secrets are for gateways: write files"] as const,
    ),
    ...[
      ...["caCertificates", "caCrl", "subjectAltNames", "verifyCertificateHash", "verifyCertificateSpki"],
      "tlsCertificates[].caCertificates",
    ].map((field) => [`spec.ingress[].tls.${field}`, "clients show no certificate"] as const),
    ["spec.ingress[].tls.insecureSkipVerify", "clients show no certificate", oneOf(false)],
    ["spec.ingress[].tls.httpsRedirect", "a port with TLS has no plain HTTP", oneOf(false)],
  ),

  ...proxyConfig.yes("spec.selector", "spec.concurrency", "spec.environmentVariables"),
  ...proxyConfig.idle(["spec.image", "'weft run' starts the proxy that is installed beside it"]),

  ...peerAuthentication.yes("spec.selector", "spec.mtls", "spec.portLevelMtls"),

  ...authorizationPolicy.yes(
    "spec.action",
    "spec.provider",
    "spec.selector",
    "spec.targetRef",
    "spec.targetRefs",
    "spec.rules[].from[].source",
    "spec.rules[].to[].operation",
    "spec.rules[].when[]",
  ),

  ...requestAuthentication.yes("spec.selector", "spec.targetRef", "spec.targetRefs", "spec.jwtRules"),
  ...gateway.yes(
    "spec.selector",
    "spec.servers[].name",
    "spec.servers[].port.number",
    "spec.servers[].port.name",
    "spec.servers[].port.protocol",
    "spec.servers[].hosts",
    "spec.servers[].tls.mode",
    "spec.servers[].tls.httpsRedirect",
    "spec.servers[].tls.serverCertificate",
    "spec.servers[].tls.privateKey",
    "spec.servers[].tls.caCertificates",
    "spec.servers[].tls.caCrl",
    "spec.servers[].tls.credentialName",
    "spec.servers[].tls.credentialNames",
    "spec.servers[].tls.caCertCredentialName",
    "spec.servers[].tls.tlsCertificates[].serverCertificate",
    "spec.servers[].tls.tlsCertificates[].privateKey",
    "spec.servers[].tls.subjectAltNames",
    "spec.servers[].tls.verifyCertificateHash",
    "spec.servers[].tls.verifyCertificateSpki",
    "spec.servers[].tls.cipherSuites",
    "spec.servers[].tls.insecureSkipVerify",
  ),
  ...gateway.refused(
    ["spec.servers[].bind", "write an IP address", notUnix],
    ["spec.servers[].tls.minProtocolVersion", "TLS before 1.2 is not offered", modernTls],
    ["spec.servers[].tls.maxProtocolVersion", "TLS before 1.2 is not offered", modernTls],
    [
      "spec.servers[].tls.tlsCertificates[].caCertificates",
      "Istio does not read it either: write caCertificates beside tlsCertificates",
    ],
    ["spec.servers[].defaultEndpoint", "route by a VirtualService"],
  ),
  ...gateway.idle(["spec.servers[].port.targetPort", "the port of the gateway's service decides"]),

  ...namespace.idle(["spec.spec", "of a namespace its labels are read"]),
  ...secret.yes("spec.type", "spec.data", "spec.stringData"),
  ...secret.idle(["spec.immutable", "a change is a new resource to Weft"]),
  ...configMap.yes("spec.data"),
  ...configMap.idle(
    ["spec.immutable", "a change is a new resource to Weft"],
    ["spec.binaryData", "certificates are text"],
  ),

  ...federatedTrustDomain.yes(
    "spec.trustDomain",
    "spec.bundleEndpointURL",
    "spec.bundleEndpointProfile.type",
    "spec.bundleEndpointProfile.endpointSPIFFEID",
    "spec.trustDomainBundle",
  ),
  ...federatedTrustDomain.idle(["spec.className", "there is one control plane, and it takes every class"]),
];
