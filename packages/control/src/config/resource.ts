import type { AlertProviderSpec, CanarySpec, MetricTemplateSpec } from "./canary-spec.ts";
import type { ConfigMapSpec } from "./config-map.ts";
import type { DestinationRuleSpec } from "./destination-rule-specs.ts";
import type { EndpointSliceSpec, EndpointsSpec } from "./endpoint-specs.ts";
import type {
  BackendTlsPolicySpec,
  GatewayClassSpec,
  GrpcRouteResourceSpec,
  HttpRouteResourceSpec,
  KubernetesGatewaySpec,
  ListenerSetSpec,
  ReferenceGrantSpec,
  TcpRouteResourceSpec,
  TlsRouteResourceSpec,
} from "./gateway-api-specs.ts";
import type { GatewaySpec } from "./gateway-specs.ts";
import type { MeshKind } from "./kinds.ts";
import type { Origins } from "./origins.ts";
import type { TlsSecretSpec } from "./read-secret.ts";
import type {
  AuthorizationPolicySpec,
  FederatedTrustDomainSpec,
  PeerAuthenticationSpec,
  RequestAuthenticationSpec,
} from "./security-specs.ts";
import type {
  ProxyConfigSpec,
  ServiceEntrySpec,
  ServiceSpec,
  SidecarSpec,
  WorkloadEntrySpec,
  WorkloadGroupSpec,
} from "./service-specs.ts";
import type { TelemetrySpec } from "./telemetry-specs.ts";
import type { VirtualServiceSpec } from "./virtual-service-specs.ts";

/** Its labels are all that is read of it. */
type NamespaceSpec = Readonly<Record<never, never>>;

interface Specs {
  Service: ServiceSpec;
  EndpointSlice: EndpointSliceSpec;
  Endpoints: EndpointsSpec;
  VirtualService: VirtualServiceSpec;
  DestinationRule: DestinationRuleSpec;
  ServiceEntry: ServiceEntrySpec;
  WorkloadEntry: WorkloadEntrySpec;
  WorkloadGroup: WorkloadGroupSpec;
  Sidecar: SidecarSpec;
  ProxyConfig: ProxyConfigSpec;
  PeerAuthentication: PeerAuthenticationSpec;
  RequestAuthentication: RequestAuthenticationSpec;
  AuthorizationPolicy: AuthorizationPolicySpec;
  Telemetry: TelemetrySpec;
  HTTPRoute: HttpRouteResourceSpec;
  GRPCRoute: GrpcRouteResourceSpec;
  TLSRoute: TlsRouteResourceSpec;
  TCPRoute: TcpRouteResourceSpec;
  BackendTLSPolicy: BackendTlsPolicySpec;
  ReferenceGrant: ReferenceGrantSpec;
  Gateway: GatewaySpec;
  GatewayClass: GatewayClassSpec;
  KubernetesGateway: KubernetesGatewaySpec;
  ListenerSet: ListenerSetSpec;
  Namespace: NamespaceSpec;
  Secret: TlsSecretSpec;
  ConfigMap: ConfigMapSpec;
  Canary: CanarySpec;
  MetricTemplate: MetricTemplateSpec;
  AlertProvider: AlertProviderSpec;
  ClusterFederatedTrustDomain: FederatedTrustDomainSpec;
}

/**
 * One validated resource: it satisfies its published schema, its values parse,
 * and everything in it that Weft does not do has been reported.
 */
export interface ResourceOf<K extends MeshKind> {
  readonly kind: K;
  readonly apiVersion: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** When it was made, as far as anyone knows: the older of two that contend for the same wins. */
  readonly createdAtMs: number | undefined;
  readonly spec: Specs[K];
  /** Where each value was written, by path from the document's root (`spec.http[0].timeout`). */
  readonly origins: Origins;
}

export type ConfigResource = { [K in MeshKind]: ResourceOf<K> }[MeshKind];

/** `kind/namespace/name`: unique among the resources of one mesh. */
export function resourceKey(resource: { kind: string; namespace: string; name: string }): string {
  return `${resource.kind}/${resource.namespace}/${resource.name}`;
}
