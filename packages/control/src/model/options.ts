import { istioAccessLogFormat } from "./access-log-formats.ts";
import type { FederationSource } from "./federation-source.ts";
import { nearestFirst } from "./locality-policy.ts";
import type { MeshDefaults, MeshOptions } from "./mesh-options.ts";

export const meshDefaults: MeshDefaults = {
  mtlsMode: "STRICT",
  outboundTrafficPolicy: "ALLOW_ANY",
  accessLog: { path: "/dev/stdout", format: istioAccessLogFormat },
  connectTimeoutMs: 10_000,
  locality: nearestFirst,
  authorizationProviders: {},
  telemetryProviders: {},
  defaultProviders: { tracing: [], metrics: ["prometheus"], accessLogging: undefined },
  tracing: { samplingPercent: 1, tags: [], maxTagLength: 0 },
  pathNormalization: "BASE",
  hasAutoMtls: true,
  gatewayTopology: { numTrustedProxies: 0, forwardClientCert: "SANITIZE_SET", hasProxyProtocol: false },
  systemCaFile: "/etc/ssl/certs/ca-certificates.crt",
  explainHeader: "off",
};

/** What an operator decides about a mesh; everything but the trust domain has a default. */
export interface MeshSettings {
  readonly trustDomain: string;
  /** Names whose identities mean the same as those of the trust domain. */
  readonly trustDomainAliases?: readonly string[];
  /** Other trust domains whose identities are verified, as MeshConfig names them. */
  readonly trustAnchors?: readonly FederationSource[];
  readonly domainSuffix?: string;
  readonly rootNamespace?: string;
  readonly meshDefaults?: Partial<MeshDefaults>;
}

const made = new WeakMap<MeshSettings, Map<string, MeshOptions>>();

/**
 * The very same object for the same settings and federated trust domains, so
 * that what is made of it can be kept.
 *
 * @param federated in order
 */
export function meshOptions(settings: MeshSettings, federated: readonly string[] = []): MeshOptions {
  const own = made.get(settings) ?? new Map<string, MeshOptions>();
  made.set(settings, own);
  const key = federated.join();
  let options = own.get(key);
  if (!options) {
    options = optionsOf(settings, federated);
    own.set(key, options);
  }
  return options;
}

function optionsOf(settings: MeshSettings, federated: readonly string[]): MeshOptions {
  return {
    trustDomain: settings.trustDomain,
    trustDomainAliases: [...(settings.trustDomainAliases ?? [])].sort(),
    federated,
    domainSuffix: settings.domainSuffix ?? "cluster.local",
    rootNamespace: settings.rootNamespace ?? "istio-system",
    defaults: { ...meshDefaults, ...settings.meshDefaults },
  };
}
