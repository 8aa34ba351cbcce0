import type { TrustDomain } from "@weft/identity/spiffe-id";
import type {
  AuthorizationProviderSpec,
  GatewayTopologySpec,
  HttpAuthorizationProviderSpec,
  MeshConfigSpec,
  TrustAnchorSpec,
} from "../config/mesh-config/mesh-config-spec.ts";
import { parseDurationMs } from "../config/values.ts";
import type { AuthorizationProvider } from "./authorization-provider.ts";
import type { FederationSource } from "./federation-source.ts";
import { buildLocalityPolicy } from "./locality-policy.ts";
import { traceTags } from "./merge-signals.ts";
import type { GatewayTopology, MeshDefaults } from "./mesh-options.ts";
import { type MeshSettings, meshDefaults as usual } from "./options.ts";
import type { TelemetryProvider } from "./signals.ts";
import { jsonFormat, telemetryProvider, textFormat } from "./telemetry-provider.ts";
import { http2Upgrades } from "./traffic-policy.ts";

/** As Istio's: an authorizer may ask a person. */
const defaultTimeoutMs = 600_000;

/** What a MeshConfig says, as settings of the mesh; what it does not say stays as it is. */
export function meshSettings(spec: MeshConfigSpec): Omit<MeshSettings, "trustDomain"> {
  const normalization = spec.pathNormalization?.normalization;
  const topology = spec.defaultConfig?.gatewayTopology;
  const { concurrency, proxyMetadata = {} } = spec.defaultConfig ?? {};
  const { connectTimeout, enableAutoMtls, h2UpgradePolicy, outboundTrafficPolicy, rootNamespace } = spec;
  const meshDefaults: { -readonly [K in keyof MeshDefaults]?: MeshDefaults[K] } = {
    authorizationProviders: Object.fromEntries(
      (spec.extensionProviders ?? []).flatMap(({ name, envoyExtAuthzHttp, envoyExtAuthzGrpc }) => {
        if (envoyExtAuthzHttp) return [[name, httpProvider(envoyExtAuthzHttp)]];
        return envoyExtAuthzGrpc ? [[name, { kind: "grpc", ...provider(envoyExtAuthzGrpc) }]] : [];
      }),
    ),
    ...telemetrySettings(spec),
  };
  if (normalization && normalization !== "DEFAULT") meshDefaults.pathNormalization = normalization;
  if (topology) meshDefaults.gatewayTopology = gatewayTopology(topology);
  if (connectTimeout !== undefined) meshDefaults.connectTimeoutMs = parseDurationMs(connectTimeout)!;
  if (spec.localityLbSetting) meshDefaults.locality = buildLocalityPolicy(spec.localityLbSetting);
  if (concurrency !== undefined || Object.keys(proxyMetadata).length > 0) {
    meshDefaults.proxy = { concurrency: concurrency ?? undefined, environment: proxyMetadata };
  }
  if (h2UpgradePolicy !== undefined) meshDefaults.http2Upgrade = http2Upgrades[h2UpgradePolicy];
  if (enableAutoMtls !== undefined) meshDefaults.hasAutoMtls = enableAutoMtls;
  if (outboundTrafficPolicy?.mode) meshDefaults.outboundTrafficPolicy = outboundTrafficPolicy.mode;
  return {
    meshDefaults,
    ...(rootNamespace === undefined ? {} : { rootNamespace }),
    trustDomainAliases: spec.trustDomainAliases ?? [],
    trustAnchors: (spec.caCertificates ?? []).flatMap(trustAnchors),
  };
}

function trustAnchors({ pem, spiffeBundleUrl, trustDomains }: TrustAnchorSpec): FederationSource[] {
  return trustDomains.map((trustDomain) => ({
    trustDomain: trustDomain as TrustDomain,
    ...(pem === undefined ? {} : { pem }),
    ...(spiffeBundleUrl === undefined ? {} : { endpoint: { url: spiffeBundleUrl, spiffeId: undefined } }),
    name: "caCertificates of the MeshConfig",
  }));
}

/** Of Istio's own provider where `enableTracing` stands alone; no provider can be called so. */
const proxyTracing = "defaultconfig.tracing";

/** What is told of calls, to whom. */
function telemetrySettings(spec: MeshConfigSpec): Partial<MeshDefaults> {
  const { defaultProviders = {}, enableTracing, extensionProviders = [], defaultConfig } = spec;
  const { sampling, maxPathTagLength = 0, customTags = {}, zipkin } = defaultConfig?.tracing ?? {};
  const providers = extensionProviders.flatMap((one): [string, TelemetryProvider][] => {
    const found = telemetryProvider(one);
    return found ? [[one.name.toLowerCase(), found]] : [];
  });
  const isByProxy = enableTracing === true && zipkin !== undefined && !defaultProviders.tracing?.length;
  if (isByProxy) {
    const at = zipkin.address.lastIndexOf(":");
    const service = zipkin.address.slice(0, at);
    const own = telemetryProvider({
      name: proxyTracing,
      zipkin: { service, port: Number(zipkin.address.slice(at + 1)) },
    });
    providers.push([proxyTracing, own!]);
  }
  const log = accessLog(spec);
  return {
    ...(log.isSet ? { accessLog: log.value } : {}),
    telemetryProviders: Object.fromEntries(providers),
    defaultProviders: {
      ...usual.defaultProviders,
      ...defaultProviders,
      ...(isByProxy ? { tracing: [proxyTracing] } : {}),
    },
    tracing: {
      samplingPercent: sampling ?? usual.tracing.samplingPercent,
      maxTagLength: maxPathTagLength,
      tags: traceTags(customTags),
    },
  };
}

/** An empty name writes none; a format alone is for where logs go without it. */
function accessLog({ accessLogFile, accessLogFormat = "", accessLogEncoding }: MeshConfigSpec) {
  const isSet = accessLogFile !== undefined || accessLogFormat !== "" || accessLogEncoding === "JSON";
  if (accessLogFile === "") return { isSet, value: undefined };
  const format =
    accessLogEncoding === "JSON"
      ? jsonFormat(JSON.parse(accessLogFormat || "{}"))
      : textFormat(accessLogFormat);
  return { isSet, value: { path: accessLogFile ?? usual.accessLog!.path, format } };
}

function gatewayTopology(spec: GatewayTopologySpec): GatewayTopology {
  const { numTrustedProxies = 0, forwardClientCertDetails = "UNDEFINED", proxyProtocol } = spec;
  return {
    numTrustedProxies,
    forwardClientCert: forwardClientCertDetails === "UNDEFINED" ? "SANITIZE_SET" : forwardClientCertDetails,
    hasProxyProtocol: proxyProtocol !== undefined,
  };
}

function provider(spec: AuthorizationProviderSpec) {
  const body = spec.includeRequestBodyInCheck;
  return {
    host: spec.service.slice(spec.service.indexOf("/") + 1).toLowerCase(),
    port: spec.port,
    timeoutMs: spec.timeout === undefined ? defaultTimeoutMs : parseDurationMs(spec.timeout)!,
    failsOpen: spec.failOpen ?? false,
    clearsRoute: spec.clearRouteCache ?? false,
    statusOnError: spec.statusOnError === undefined ? undefined : Number(spec.statusOnError),
    body: body && {
      maxBytes: body.maxRequestBytes,
      allowsPartial: body.allowPartialMessage ?? false,
      packsAsBytes: body.packAsBytes ?? false,
    },
  };
}

function httpProvider(spec: HttpAuthorizationProviderSpec): AuthorizationProvider {
  return {
    kind: "http",
    ...provider(spec),
    pathPrefix: spec.pathPrefix ?? "",
    includedHeaders: spec.includeRequestHeadersInCheck ?? spec.includeHeadersInCheck ?? [],
    addedHeaders: Object.entries(spec.includeAdditionalHeadersInCheck ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value })),
    toUpstream: spec.headersToUpstreamOnAllow ?? [],
    toClientOnDenial: spec.headersToDownstreamOnDeny ?? [],
    toClientOnSuccess: spec.headersToDownstreamOnAllow ?? [],
  };
}
