import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
import { formatOrigin } from "@weft/base/origin";
import type { ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import type { GatewayRole, GatewayServer } from "./gateway.ts";
import { isProxyOf } from "./gateway-api/api-gateways.ts";
import type { ServedGateway } from "./gateway-api/served-gateways.ts";
import { writtenServers } from "./gateway-server.ts";
import { hasLabels } from "./host.ts";
import { mergeGateways, type WrittenServer } from "./merge-gateways.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { lacksCredential, missingOf, type TlsSecrets } from "./tls-secret.ts";

type Gateway = ResourceOf<"Gateway">;

interface Input {
  readonly gateways: readonly Gateway[];
  /** Of the Gateway API, those that are the mesh's to serve. */
  readonly apiGateways: readonly ServedGateway[];
  readonly options: Pick<MeshOptions, "domainSuffix">;
  readonly workloads: readonly Workload[];
  readonly rules: readonly ResourceOf<"DestinationRule">[];
  readonly secrets: TlsSecrets;
}

/**
 * What each workload that is a gateway serves, by its id. Gateways that contend
 * are reported whether or not a gateway runs for them yet.
 */
export function buildGatewayRoles(input: Input, diagnostics: Diagnostics): Map<string, GatewayRole> {
  const { gateways, apiGateways, workloads, rules, secrets, options } = input;
  const found: Diagnostic[] = [];
  const selected = (labels: Readonly<Record<string, string>>) =>
    gateways.filter(({ spec }) => hasLabels(labels, spec.selector)).flatMap(writtenServers);
  const merge = (servers: readonly WrittenServer[], listenPort: (port: number) => number) => {
    const own = new Diagnostics();
    const role = mergeGateways(servers, listenPort, own);
    found.push(...own.all);
    return role;
  };
  for (const selector of distinctSelectors(gateways)) merge(selected(selector), (port) => port);
  const roles = new Map<string, GatewayRole>();
  const running = workloads.filter(({ isGateway }) => isGateway);
  const accepted = apiGateways.filter(({ refusal }) => !refusal);
  for (const workload of running) {
    const listens = new Map(workload.ports.map(({ port, listenPort }) => [port, listenPort]));
    const api = accepted.filter(({ gateway }) => isProxyOf(gateway, workload, options));
    const listeners = api.flatMap((served) => served.listeners.filter(({ conflict }) => !conflict));
    const own = selected(workload.labels);
    const servers = [...own, ...listeners.map(({ written }) => written)];
    const role = merge(servers, (port) => listens.get(port) ?? port);
    const backendCertificate = shownToBackends(api, found);
    roles.set(workload.id, backendCertificate ? { ...role, backendCertificate } : role);
    const istios = new Set(own.map(({ server }) => server));
    found.push(...missingSecrets(role, istios, workload, secrets));
  }
  for (const namespace of new Set(running.map((workload) => workload.namespace))) {
    for (const rule of rules) found.push(...missingCredentials(rule, namespace, secrets));
  }
  reportUnserved(gateways, running, diagnostics);
  diagnostics.add(distinct(found));
  return roles;
}

function distinctSelectors(gateways: readonly Gateway[]): Readonly<Record<string, string>>[] {
  const selectors = gateways.map(({ spec }) => spec.selector ?? {});
  const byText = new Map(selectors.map((s) => [JSON.stringify(Object.entries(s).sort()), s]));
  return [...byText.values()];
}

/** Replicas find the same. */
function distinct(found: readonly Diagnostic[]): Iterable<Diagnostic> {
  const key = ({ message, origin, other }: Diagnostic) =>
    [message, origin && formatOrigin(origin), other && formatOrigin(other)].join("\0");
  return new Map(found.map((diagnostic) => [key(diagnostic), diagnostic])).values();
}

/** A proxy shows one certificate, whichever of its Gateways a call came by: the first one's. */
function shownToBackends(gateways: readonly ServedGateway[], found: Diagnostic[]) {
  const showing = gateways.filter(({ backendCertificate }) => backendCertificate);
  const [first, ...others] = showing;
  for (const { gateway, backendCertificate } of others) {
    const { secret, namespace } = backendCertificate!;
    const shown = first!.backendCertificate!;
    if (secret === shown.secret && namespace === shown.namespace) continue;
    const { name, namespace: of, origins } = first!.gateway;
    found.push({
      code: "IST0145",
      severity: "warning",
      message: `Gateway ${of}/${name} has the same proxies, and backends are shown its certificate`,
      hint: "run a gateway of its own for one of them",
      origin: gateway.origins.at("spec.tls.backend"),
      other: origins.at("spec.tls.backend"),
    });
  }
  return first?.backendCertificate;
}

/** Of Istio's Gateways; those of the Gateway API are told of by themselves. */
function missingSecrets(
  { listeners }: GatewayRole,
  istios: ReadonlySet<GatewayServer>,
  { namespace }: Workload,
  secrets: TlsSecrets,
): Diagnostic[] {
  return listeners
    .flatMap(({ servers }) => servers.filter((server) => istios.has(server)))
    .flatMap((server) =>
      missingOf(server, namespace, secrets).map((what) => missing(server, what, namespace)),
    );
}

function missing({ gateway, source }: GatewayServer, what: string, namespace: string): Diagnostic {
  return {
    code: "IST0101",
    severity: "warning",
    message: `Gateway ${gateway} (${source.origin}): there is no ${what}: its connections are closed`,
    hint: `gateways read Secrets of their own namespace: apply it to ${namespace}`,
    origin: undefined,
  };
}

/** Of a rule for servers outside the mesh: what a gateway would show or verify them by, and has not. */
function missingCredentials(
  { spec, namespace: own, name, origins }: ResourceOf<"DestinationRule">,
  namespace: string,
  secrets: TlsSecrets,
): Diagnostic[] {
  const policies = [spec.trafficPolicy, ...(spec.subsets ?? []).map(({ trafficPolicy }) => trafficPolicy)];
  const all = policies.flatMap((policy) => [
    policy?.tls,
    ...(policy?.portLevelSettings ?? []).map(({ tls }) => tls),
  ]);
  return all.flatMap((tls) => {
    if (!tls?.credentialName || !lacksCredential(tls, namespace, secrets)) return [];
    const what = tls.mode === "MUTUAL" ? "a certificate, its key and ca.crt" : "ca.crt";
    const message = `DestinationRule ${own}/${name}: gateways of ${namespace} have no Secret ${tls.credentialName} with ${what}: their calls are answered with 503`;
    const hint = "gateways read Secrets of their own namespace";
    return [
      { code: "IST0101", severity: "warning", message, hint, origin: origins.at("spec.host") } as const,
    ];
  });
}

function reportUnserved(
  gateways: readonly Gateway[],
  running: readonly Workload[],
  diagnostics: Diagnostics,
): void {
  for (const { spec, origins } of gateways) {
    const isServed = running.some(({ labels }) => hasLabels(labels, spec.selector));
    if (isServed) continue;
    const labels = Object.entries(spec.selector ?? {}).map(([name, value]) => ` --label ${name}=${value}`);
    const message = "no gateway with these labels is running: nobody serves this Gateway yet";
    const hint = `weft run --gateway NAME${labels.join("")}`;
    diagnostics.info("W2130", origins.at("spec.selector"), message, hint);
  }
}
