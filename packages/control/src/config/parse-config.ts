import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
import { formatOrigin } from "@weft/base/origin";
import { checkAuthorizationPolicy } from "./check-authorization-policy.ts";
import { checkBackendTlsPolicy } from "./check-backend-tls-policy.ts";
import { checkAlertProvider, checkCanary, checkMetricTemplate } from "./check-canary.ts";
import { checkConfigMap } from "./check-config-map.ts";
import { checkDestinationRule } from "./check-destination-rule.ts";
import { checkEndpointSlice, checkEndpoints } from "./check-endpoint-slice.ts";
import { checkFederatedTrustDomain } from "./check-federated-trust-domain.ts";
import { checkGateway } from "./check-gateway.ts";
import { checkHttpRoute } from "./check-http-route.ts";
import { checkKubernetesGateway } from "./check-kubernetes-gateway.ts";
import { checkListenerSet } from "./check-listener-set.ts";
import { checkNamespace } from "./check-namespace.ts";
import { checkGrpcRoute, checkTcpRoute, checkTlsRoute } from "./check-other-routes.ts";
import { checkPeerAuthentication } from "./check-peer-authentication.ts";
import { checkProxyConfig } from "./check-proxy-config.ts";
import { checkRequestAuthentication } from "./check-request-authentication.ts";
import { checkSecret } from "./check-secret.ts";
import { checkService } from "./check-service.ts";
import { checkServiceEntry } from "./check-service-entry.ts";
import { checkSidecar } from "./check-sidecar.ts";
import { checkSupport } from "./check-support.ts";
import { checkTelemetry } from "./check-telemetry.ts";
import { checkVirtualService } from "./check-virtual-service.ts";
import { checkWorkloadEntry } from "./check-workload-entry.ts";
import { checkWorkloadGroup } from "./check-workload-group.ts";
import { type ConfigMapSpec, holdsTrust } from "./config-map.ts";
import { type CheckedMetadata, Finding } from "./finding.ts";
import { guardFor } from "./guard.ts";
import { groupOf, isKubernetesGroup, laterKinds, type MeshKind, meshKindOf, meshKinds } from "./kinds.ts";
import { type ConfigFile, limits, parseDocuments, type RawDocument } from "./parse-documents.ts";
import { holdsTls, readSecret, type SecretSpec } from "./read-secret.ts";
import { type ConfigResource, resourceKey } from "./resource.ts";
import { checkSchema, contentPath, kindSchemas } from "./schema.ts";
import { didYouMean } from "./suggest.ts";
import { isDnsLabel, isResourceName } from "./values.ts";

export interface ParsedConfig {
  /** The resources that can be applied, in the order they were written. */
  readonly resources: readonly ConfigResource[];
  readonly diagnostics: readonly Diagnostic[];
  /** Documents of Kubernetes' own kinds, as they stand: they say what runs, where nothing has registered. */
  readonly others: readonly OtherDocument[];
  /** What keeps out whom security policies would have that are refused: see `guardFor`. */
  readonly guards: readonly ConfigResource[];
}

/** A document of a kind that does not shape the mesh. */
export interface OtherDocument extends RawDocument {
  readonly kind: string;
  readonly apiVersion: string;
}

/** The namespace of a resource that names none. */
export const defaultNamespace = "default";

const checks: { [K in MeshKind]: (spec: never, find: Finding, metadata: CheckedMetadata) => void } = {
  Service: checkService,
  EndpointSlice: checkEndpointSlice,
  Endpoints: checkEndpoints,
  VirtualService: checkVirtualService,
  DestinationRule: checkDestinationRule,
  ServiceEntry: checkServiceEntry,
  WorkloadEntry: checkWorkloadEntry,
  WorkloadGroup: checkWorkloadGroup,
  Sidecar: checkSidecar,
  ProxyConfig: checkProxyConfig,
  PeerAuthentication: checkPeerAuthentication,
  RequestAuthentication: checkRequestAuthentication,
  AuthorizationPolicy: checkAuthorizationPolicy,
  Telemetry: checkTelemetry,
  HTTPRoute: checkHttpRoute,
  GRPCRoute: checkGrpcRoute,
  TLSRoute: checkTlsRoute,
  TCPRoute: checkTcpRoute,
  BackendTLSPolicy: checkBackendTlsPolicy,
  // Its schema says all that can be wrong with one.
  ReferenceGrant: () => {},
  Gateway: checkGateway,
  // Its schema says all that can be wrong with one.
  GatewayClass: () => {},
  KubernetesGateway: checkKubernetesGateway,
  ListenerSet: checkListenerSet,
  Namespace: checkNamespace,
  Secret: checkSecret,
  ConfigMap: checkConfigMap,
  Canary: checkCanary,
  MetricTemplate: checkMetricTemplate,
  AlertProvider: checkAlertProvider,
  ClusterFederatedTrustDomain: checkFederatedTrustDomain,
};

/**
 * Reads YAML into resources. A resource with an error is left out and does not
 * affect the others; everything that is not applied as written is named in
 * `diagnostics` with its place. Nothing is guessed.
 */
export function parseConfig(files: readonly ConfigFile[]): ParsedConfig {
  const diagnostics = new Diagnostics();
  const resources: ConfigResource[] = [];
  const others: OtherDocument[] = [];
  const guards: ConfigResource[] = [];
  const byKey = new Map<string, ConfigResource>();
  let count = 0;
  for (const file of files) {
    for (const document of parseDocuments(file, diagnostics)) {
      if (++count > limits.documents) {
        diagnostics.error(
          "W1003",
          document.origins.at(""),
          `more than ${limits.documents} documents at once`,
        );
        return { resources, diagnostics: diagnostics.all, others, guards };
      }
      for (const item of itemsOf(document)) {
        const resource = parseResource(item, diagnostics, others);
        if (!resource) {
          const guard = guardOf(item);
          if (guard) guards.push(guard);
          continue;
        }
        const key = resourceKey(resource);
        const first = byKey.get(key);
        if (first) {
          const place = formatOrigin(first.origins.at("metadata.name"));
          const message = `${resource.kind} ${resource.namespace}/${resource.name} is written twice`;
          const at = resource.origins.at("metadata.name");
          diagnostics.error("W1011", at, message, `the first is at ${place}: remove one of them`);
          continue;
        }
        byKey.set(key, resource);
        resources.push(resource);
      }
    }
  }
  return { resources, diagnostics: diagnostics.all, others, guards };
}

function guardOf({ value, origins }: Item): ConfigResource | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { kind: name, apiVersion } = value as { kind?: unknown; apiVersion?: unknown };
  if (typeof name !== "string" || typeof apiVersion !== "string") return undefined;
  const kind = meshKindOf(name, groupOf(apiVersion));
  return kind && guardFor({ kind, apiVersion, value, origins }, defaultNamespace);
}

interface Item extends RawDocument {
  readonly value: unknown;
}

/** A `v1` List is its items. */
function itemsOf(document: RawDocument): Item[] {
  const { kind, items } = document.value as { kind?: unknown; items?: unknown };
  if (kind !== "List" || !Array.isArray(items)) return [document];
  return items.map((value, i) => ({ value, origins: document.origins.below(`items[${i}]`) }));
}

function parseResource(
  { value, origins }: Item,
  diagnostics: Diagnostics,
  others: OtherDocument[],
): ConfigResource | undefined {
  const header = parseHeader({ value, origins }, diagnostics, others);
  if (!header) return undefined;
  const { kind, apiVersion } = header;
  if (kind === "ConfigMap" && !holdsTrust(value as ConfigMapSpec)) {
    others.push({ kind, apiVersion, value, origins });
    const message = `ConfigMap ${nameOf(value as object)}holds no certificates of authorities: it is not used by Weft`;
    diagnostics.info("W1304", origins.at("kind"), message);
    return undefined;
  }
  if (!checkSchema(kind, value, origins, diagnostics)) return undefined;
  const { metadata } = value as { metadata: Metadata };
  if (!checkNames(metadata, origins, diagnostics)) return undefined;
  const written = contentPath(kind) === "" ? value : (value as { spec: unknown }).spec;
  if (kind === "Secret" && !holdsTls(written as SecretSpec)) {
    const message = `Secret "${metadata.name}" holds no certificate: it is not used by Weft, and not kept`;
    diagnostics.info("W1304", origins.at("kind"), message);
    return undefined;
  }
  const isSupported = checkSupport(kind, written, origins, diagnostics);
  const find = new Finding(origins, diagnostics);
  const { name, namespace = defaultNamespace, labels = {}, annotations = {} } = metadata;
  checks[kind](written as never, find, { name, namespace, annotations });
  if (!isSupported || find.hasErrors) return undefined;
  return {
    kind,
    apiVersion,
    name,
    namespace,
    labels,
    annotations: kind === "Secret" ? {} : annotations,
    createdAtMs: timeOf(metadata.creationTimestamp),
    spec: kind === "Secret" ? readSecret(written as SecretSpec) : written,
    origins,
  } as ConfigResource;
}

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: unknown;
}

/** As an API server writes it; tools that write YAML leave it empty. */
function timeOf(timestamp: unknown): number | undefined {
  const ms = typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** The kind, when it is one that shapes the mesh; everything else is reported here. */
function parseHeader(
  { value, origins }: Item,
  diagnostics: Diagnostics,
  others: OtherDocument[],
): { kind: MeshKind; apiVersion: string } | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    diagnostics.error(
      "W1006",
      origins.at(""),
      "the document is not a resource",
      "write apiVersion, kind, metadata, spec",
    );
    return undefined;
  }
  const { kind, apiVersion } = value as { kind?: unknown; apiVersion?: unknown };
  for (const [field, content] of Object.entries({ apiVersion, kind })) {
    if (typeof content === "string" && content !== "") continue;
    diagnostics.error(
      "W1006",
      origins.at(field),
      `the document has no ${field}`,
      "write apiVersion and kind",
    );
    return undefined;
  }
  const name = kind as string;
  const version = apiVersion as string;
  const group = groupOf(version);
  const known = meshKindOf(name, group);
  if (known && kindSchemas[known].apiVersions.includes(version)) return { kind: known, apiVersion: version };
  const at = origins.at("kind");
  const later = laterKinds.get(group);
  if (later && Object.hasOwn(later, name)) {
    const message = `kind ${name} (${group}) is not served: this resource is not applied`;
    diagnostics.warning("W1303", at, message, later[name]);
  } else if (known && (group === apiGroupOf(known) || !isKubernetesGroup(group))) {
    const versions = kindSchemas[known].apiVersions;
    const hint = didYouMean(version, versions) ?? `one of ${versions.join(", ")}`;
    diagnostics.error("W1008", origins.at("apiVersion"), `${known} has no apiVersion ${version}`, hint);
  } else if (
    !laterKinds.has(group) &&
    group !== "networking.istio.io" &&
    isKubernetesGroup(group) &&
    !misspelt(name)
  ) {
    others.push({ kind: name, apiVersion: version, value, origins });
    diagnostics.info("W1304", at, `${name} ${nameOf(value)}is not used by Weft outside Kubernetes`);
  } else {
    const candidates = [...meshKinds, ...[...laterKinds.values()].flatMap(Object.keys)];
    const hint = didYouMean(name, candidates) ?? `Weft reads ${meshKinds.join(", ")}`;
    diagnostics.error("W1007", at, `unknown kind ${name} (${version})`, hint);
  }
  return undefined;
}

/** Kubernetes has no kind that looks like one of the mesh's: `Servce` under v1 is a typing error. */
function misspelt(kind: string): boolean {
  const others = ["ServiceAccount", "ServiceCIDR"];
  return !others.includes(kind) && didYouMean(kind, ["Service"]) !== undefined && kind !== "Service";
}

function apiGroupOf(kind: MeshKind): string {
  const [version = ""] = kindSchemas[kind].apiVersions;
  return groupOf(version);
}

function nameOf(value: object): string {
  const name = (value as { metadata?: { name?: unknown } }).metadata?.name;
  return typeof name === "string" ? `"${name.slice(0, 80)}" ` : "";
}

function checkNames(metadata: Metadata, origins: RawDocument["origins"], diagnostics: Diagnostics): boolean {
  const hint = "lower-case letters, digits and dashes";
  if (!isResourceName(metadata.name)) {
    diagnostics.error(
      "W1010",
      origins.at("metadata.name"),
      `"${metadata.name}" is not a resource name`,
      hint,
    );
    return false;
  }
  if (metadata.namespace !== undefined && !isDnsLabel(metadata.namespace)) {
    diagnostics.error(
      "W1010",
      origins.at("metadata.namespace"),
      `"${metadata.namespace}" is not a namespace`,
      hint,
    );
    return false;
  }
  return true;
}
