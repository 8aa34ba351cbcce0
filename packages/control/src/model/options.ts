import type { MeshDefaults, MeshOptions } from "./mesh.ts";

/** Istio's default text format. */
export const istioAccessLogFormat =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

export const meshDefaults: MeshDefaults = {
  mtlsMode: "STRICT",
  outboundTrafficPolicy: "ALLOW_ANY",
  accessLog: { path: "/dev/stdout", format: istioAccessLogFormat },
  connectTimeoutMs: 10_000,
  authorizationProviders: {},
  pathNormalization: "BASE",
  hasAutoMtls: true,
  gatewayTopology: { numTrustedProxies: 0, forwardClientCert: "SANITIZE_SET", hasProxyProtocol: false },
  systemCaFile: "/etc/ssl/certs/ca-certificates.crt",
};

/** What an operator decides about a mesh; everything but the trust domain has a default. */
export interface MeshSettings {
  readonly trustDomain: string;
  readonly domainSuffix?: string;
  readonly rootNamespace?: string;
  readonly meshDefaults?: Partial<MeshDefaults>;
}

export function meshOptions(settings: MeshSettings): MeshOptions {
  return {
    trustDomain: settings.trustDomain,
    domainSuffix: settings.domainSuffix ?? "cluster.local",
    rootNamespace: settings.rootNamespace ?? "istio-system",
    defaults: { ...meshDefaults, ...settings.meshDefaults },
  };
}
