import type {
  AuthorizationProviderSpec,
  GatewayTopologySpec,
  HttpAuthorizationProviderSpec,
  MeshConfigSpec,
} from "../config/mesh-config/mesh-config-spec.ts";
import { parseDurationMs } from "../config/values.ts";
import type { AuthorizationProvider } from "./authorization-provider.ts";
import type { GatewayTopology, MeshDefaults } from "./mesh.ts";
import { istioAccessLogFormat, type MeshSettings } from "./options.ts";

/** As Istio's: an authorizer may ask a person. */
const defaultTimeoutMs = 600_000;

/** What a MeshConfig says, as settings of the mesh; what it does not say stays as it is. */
export function meshSettings(spec: MeshConfigSpec): Omit<MeshSettings, "trustDomain"> {
  const normalization = spec.pathNormalization?.normalization;
  const topology = spec.defaultConfig?.gatewayTopology;
  const { accessLogFile, connectTimeout, enableAutoMtls, outboundTrafficPolicy, rootNamespace } = spec;
  const meshDefaults: { -readonly [K in keyof MeshDefaults]?: MeshDefaults[K] } = {
    authorizationProviders: Object.fromEntries(
      (spec.extensionProviders ?? []).map(({ name, envoyExtAuthzHttp, envoyExtAuthzGrpc }) => [
        name,
        envoyExtAuthzHttp
          ? httpProvider(envoyExtAuthzHttp)
          : { kind: "grpc", ...provider(envoyExtAuthzGrpc!) },
      ]),
    ),
  };
  if (normalization && normalization !== "DEFAULT") meshDefaults.pathNormalization = normalization;
  if (accessLogFile !== undefined) {
    const format = spec.accessLogFormat || istioAccessLogFormat;
    meshDefaults.accessLog = accessLogFile === "" ? undefined : { path: accessLogFile, format };
  }
  if (topology) meshDefaults.gatewayTopology = gatewayTopology(topology);
  if (connectTimeout !== undefined) meshDefaults.connectTimeoutMs = parseDurationMs(connectTimeout)!;
  if (enableAutoMtls !== undefined) meshDefaults.hasAutoMtls = enableAutoMtls;
  if (outboundTrafficPolicy?.mode) meshDefaults.outboundTrafficPolicy = outboundTrafficPolicy.mode;
  return { meshDefaults, ...(rootNamespace === undefined ? {} : { rootNamespace }) };
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
