import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
import { messageOf } from "@weft/base/errors";
import { parseTrustDomain, type TrustDomain } from "@weft/identity/spiffe-id";
import { parseTrustBundle } from "@weft/identity/trust-bundle";
import { bundleUrlProblem } from "../check-federated-trust-domain.ts";
import { checkLocalitySetting } from "../check-locality-setting.ts";
import { checkProxySettings } from "../check-proxy-config.ts";
import { Finding } from "../finding.ts";
import { type ConfigFile, parseDocuments } from "../parse-documents.ts";
import { checkValue } from "../schema.ts";
import { isDnsLabel, isHostPattern } from "../values.ts";
import { checkTelemetryProvider } from "./check-telemetry-provider.ts";
import schema from "./mesh-config.schema.json" with { type: "json" };
import type { AuthorizationProviderSpec, MeshConfigSpec, ProviderSpec } from "./mesh-config-spec.ts";

/**
 * Reads a file of MeshConfig, as in Istio's ConfigMap under `mesh`. Undefined
 * when something in it is wrong: a mesh is not run on half of what was meant.
 */
export function parseMeshConfig(file: ConfigFile): {
  readonly spec: MeshConfigSpec | undefined;
  readonly diagnostics: readonly Diagnostic[];
} {
  const diagnostics = new Diagnostics();
  const [first, second] = parseDocuments(file, diagnostics);
  if (!first) return { spec: diagnostics.hasErrors ? undefined : {}, diagnostics: diagnostics.all };
  if (second) diagnostics.error("W1006", second.origins.at(""), "a MeshConfig is one document");
  if (!checkValue(schema, first.value, first.origins, diagnostics)) {
    return { spec: undefined, diagnostics: diagnostics.all };
  }
  const spec = first.value as MeshConfigSpec;
  const find = new Finding(first.origins, diagnostics);
  find.duration("connectTimeout", spec.connectTimeout, { minMs: 1 });
  const hops = "defaultConfig.gatewayTopology.numTrustedProxies";
  find.range(hops, spec.defaultConfig?.gatewayTopology?.numTrustedProxies, 0, 100);
  if (spec.rootNamespace !== undefined && !isDnsLabel(spec.rootNamespace)) {
    find.error("W1010", "rootNamespace", `"${spec.rootNamespace}" is not a namespace`);
  }
  checkLocalitySetting(spec.localityLbSetting, "localityLbSetting", find);
  const own = spec.defaultConfig;
  const fields = { concurrency: "concurrency", environmentVariables: "proxyMetadata" } as const;
  checkProxySettings(own?.concurrency, own?.proxyMetadata, (field) => `defaultConfig.${fields[field]}`, find);
  if (own?.proxyStatsMatcher) {
    const path = "defaultConfig.proxyStatsMatcher";
    find.info("W1305", path, `${path} is not used: every statistic is shown`);
  }
  if (own?.extraStatTags) {
    const path = "defaultConfig.extraStatTags";
    find.info("W1305", path, `${path} is not used: labels of a Telemetry are shown without being named`);
  }
  checkTracing(spec, find);
  if (spec.accessLogEncoding === "JSON" && spec.accessLogFormat && !isJsonObject(spec.accessLogFormat)) {
    const hint = "write a JSON object, or leave it out for Istio's";
    find.error("W1105", "accessLogFormat", "accessLogFormat is not JSON", hint);
  }
  checkTrust(spec, find);
  const seen = new Set<string>();
  spec.extensionProviders?.forEach((provider, i) => {
    const path = `extensionProviders[${i}]`;
    if (seen.has(provider.name)) {
      find.error("W1210", `${path}.name`, `provider ${provider.name} is written twice`, "remove one of them");
    }
    seen.add(provider.name);
    checkProvider(provider, path, find);
  });
  return { spec: diagnostics.hasErrors ? undefined : spec, diagnostics: diagnostics.all };
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function checkTracing(
  { enableTracing, defaultConfig, defaultProviders }: MeshConfigSpec,
  find: Finding,
): void {
  const path = "defaultConfig.tracing";
  const { zipkin, sampling, maxPathTagLength, customTags } = defaultConfig?.tracing ?? {};
  find.range(`${path}.sampling`, sampling, 0, 100);
  find.range(`${path}.maxPathTagLength`, maxPathTagLength, 0, 65_536);
  for (const [name, { header }] of Object.entries(customTags ?? {})) {
    if (header) find.headerName(`${path}.customTags.${name}.header.name`, header.name);
  }
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(zipkin?.address ?? "") ?? [];
  if (zipkin && (host === undefined || !isHostPattern(host))) {
    const hint = "write for example zipkin.istio-system.svc.cluster.local:9411";
    find.error("W1105", `${path}.zipkin.address`, `"${zipkin.address}" is not a host and a port`, hint);
  }
  find.port(`${path}.zipkin.address`, port === undefined ? undefined : Number(port));
  if (enableTracing && !zipkin && !defaultProviders?.tracing?.length) {
    const hint = "name a provider in defaultProviders.tracing";
    find.warning("W1301", "enableTracing", "no provider takes the spans: nothing is traced", hint);
  }
}

function checkTrust({ trustDomainAliases, caCertificates }: MeshConfigSpec, find: Finding): void {
  trustDomainAliases?.forEach((alias, i) => {
    checkTrustDomain(alias, `trustDomainAliases[${i}]`, find);
  });
  caCertificates?.forEach(({ pem, spiffeBundleUrl, trustDomains }, i) => {
    const path = `caCertificates[${i}]`;
    trustDomains.forEach((name, n) => {
      checkTrustDomain(name, `${path}.trustDomains[${n}]`, find);
    });
    const problem = spiffeBundleUrl === undefined ? undefined : bundleUrlProblem(spiffeBundleUrl);
    if (problem) find.error("W1105", `${path}.spiffeBundleUrl`, `${path}.spiffeBundleUrl ${problem}`);
    try {
      if (pem !== undefined) parseTrustBundle("any" as TrustDomain, pem);
    } catch (error) {
      find.error("W1105", `${path}.pem`, `${path}.pem: ${messageOf(error)}`, "one or more CA certificates");
    }
  });
}

function checkTrustDomain(name: string, path: string, find: Finding): void {
  try {
    parseTrustDomain(name);
  } catch (error) {
    find.error("W1105", path, `${path}: ${messageOf(error)}`);
  }
}

function checkProvider(provider: ProviderSpec, path: string, find: Finding): void {
  if (!isDnsLabel(provider.name)) {
    const hint = "lower-case letters, digits and dashes";
    find.error("W1010", `${path}.name`, `"${provider.name}" is not a provider's name`, hint);
  }
  if (checkTelemetryProvider(provider, path, find)) return;
  const kind = provider.envoyExtAuthzHttp ? "envoyExtAuthzHttp" : "envoyExtAuthzGrpc";
  const own: AuthorizationProviderSpec | undefined = provider[kind];
  if (!own) {
    find.error(
      "W1104",
      path,
      `${path} names no service`,
      "add envoyExtAuthzGrpc, opentelemetry, envoyOtelAls or another kind",
    );
    return;
  }
  const at = `${path}.${kind}`;
  find.host(`${at}.service`, own.service.slice(own.service.indexOf("/") + 1));
  find.port(`${at}.port`, own.port);
  find.duration(`${at}.timeout`, own.timeout, { minMs: 1 });
  const status = Number(own.statusOnError ?? 403);
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    find.error(
      "W1105",
      `${at}.statusOnError`,
      `"${own.statusOnError}" is not a response status`,
      "200 to 599",
    );
  }
  const size = own.includeRequestBodyInCheck?.maxRequestBytes;
  find.range(`${at}.includeRequestBodyInCheck.maxRequestBytes`, size, 1, 1 << 24);
  if (provider.envoyExtAuthzHttp) checkHttp(provider.envoyExtAuthzHttp, at, find);
}

function checkHttp(own: NonNullable<ProviderSpec["envoyExtAuthzHttp"]>, at: string, find: Finding): void {
  if (own.pathPrefix && !own.pathPrefix.startsWith("/")) {
    find.error("W1105", `${at}.pathPrefix`, `"${own.pathPrefix}" does not begin with "/"`);
  }
  for (const [name, value] of Object.entries(own.includeAdditionalHeadersInCheck ?? {})) {
    find.headerName(`${at}.includeAdditionalHeadersInCheck`, name);
    if (/[\0\r\n]/.test(value))
      find.error("W1206", `${at}.includeAdditionalHeadersInCheck`, `${name} has a line break`);
  }
  for (const field of headerLists) {
    own[field]?.forEach((pattern, i) => {
      const place = `${at}.${field}[${i}]`;
      if (pattern === "*")
        find.error("W1105", place, `${place}: "*" alone is every header`, "name a prefix or suffix");
      else find.headerName(place, pattern.replace(/^\*|\*$/g, ""));
    });
  }
}

const headerLists = [
  "includeHeadersInCheck",
  "includeRequestHeadersInCheck",
  "headersToUpstreamOnAllow",
  "headersToDownstreamOnDeny",
  "headersToDownstreamOnAllow",
] as const;
