import { type Diagnostic, type Diagnostics, type Told, told } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import { formatOrigin } from "@weft/base/origin";
import type { ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import type { GatewayRole, GatewayServer } from "./gateway.ts";
import { isProxyOf } from "./gateway-api/api-gateways.ts";
import type { ServedGateway } from "./gateway-api/served-gateways.ts";
import { writtenServers } from "./gateway-server.ts";
import { hasLabels } from "./host.ts";
import { SelectorIndex } from "./label-index.ts";
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
  const index = indexes.get(gateways, [], () => indexOf(gateways));
  for (const { selector, first } of distinctSelectors(gateways)) {
    const own = selectedBy(selector, index);
    found.push(...merged.get(first, own, () => mergedRole(own.flatMap(serversOf), (port) => port)).said);
  }
  const roles = new Map<string, GatewayRole>();
  const running = workloads.filter(({ isGateway }) => isGateway);
  const accepted = apiGateways.filter(({ refusal }) => !refusal);
  for (const workload of running) {
    const own = selectedBy(workload.labels, index);
    const api = accepted.filter(({ gateway }) => isProxyOf(gateway, workload, options));
    const istios = own.flatMap(serversOf);
    const { made: role, said } = served.get(workload, [...own, ...api], () => {
      const listeners = api.flatMap((one) => one.listeners.filter(({ conflict }) => !conflict));
      const listens = new Map(workload.ports.map(({ port, listenPort }) => [port, listenPort]));
      const all = [...istios, ...listeners.map(({ written }) => written)];
      return mergedRole(all, (port) => listens.get(port) ?? port);
    });
    found.push(...said);
    const backendCertificate = shownToBackends(api, found);
    roles.set(workload.id, backendCertificate ? { ...role, backendCertificate } : role);
    const theirs = new Set(istios.map(({ server }) => server));
    found.push(...missingSecrets(role, theirs, workload, secrets));
  }
  for (const namespace of new Set(running.map((workload) => workload.namespace))) {
    for (const rule of rules) found.push(...missingCredentials(rule, namespace, secrets));
  }
  reportUnserved(gateways, running, diagnostics);
  diagnostics.add(distinct(found));
  return roles;
}

type Labels = Readonly<Record<string, string>>;
type Index = SelectorIndex<Gateway>;

const indexes = new KeptFor<readonly Gateway[], Index>();
const servers = new KeptFor<Gateway, readonly WrittenServer[]>();
/** By the first Gateway of a selector. */
const merged = new KeptFor<Gateway, Told<GatewayRole>>();
const served = new KeptFor<Workload, Told<GatewayRole>>();

/** Of several namespaces one index: a gateway is chosen wherever it runs. */
const anywhere = "";

function indexOf(gateways: readonly Gateway[]): Index {
  return new SelectorIndex(gateways, ({ spec }) => [{ namespace: anywhere, labels: spec.selector }]);
}

function selectedBy(labels: Labels, index: Index): readonly Gateway[] {
  return index.choosing(labels, anywhere);
}

function serversOf(gateway: Gateway): readonly WrittenServer[] {
  return servers.get(gateway, [], () => writtenServers(gateway));
}

function mergedRole(
  servers: readonly WrittenServer[],
  listenPort: (port: number) => number,
): Told<GatewayRole> {
  return told((diagnostics) => mergeGateways(servers, listenPort, diagnostics));
}

/** Each with the first Gateway that has it. */
function distinctSelectors(
  gateways: readonly Gateway[],
): Iterable<{ readonly selector: Labels; readonly first: Gateway }> {
  const byText = new Map<string, { readonly selector: Labels; readonly first: Gateway }>();
  for (const first of gateways) {
    const { selector = {} } = first.spec;
    const text = JSON.stringify(Object.entries(selector).sort());
    if (!byText.has(text)) byText.set(text, { selector, first });
  }
  return byText.values();
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

type Rule = ResourceOf<"DestinationRule">;
type RuleTls = NonNullable<NonNullable<Rule["spec"]["trafficPolicy"]>["tls"]>;

const credentials = new KeptFor<Rule, readonly RuleTls[]>();

/** TLS settings of a rule that name a Secret. */
function credentialsOf({ spec: { trafficPolicy, subsets = [] } }: Rule): readonly RuleTls[] {
  const policies = [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)];
  const all = policies.flatMap((policy) => [
    policy?.tls,
    ...(policy?.portLevelSettings ?? []).map(({ tls }) => tls),
  ]);
  return all.filter((tls) => tls?.credentialName) as RuleTls[];
}

/** Of a rule for servers outside the mesh: what a gateway would show or verify them by, and has not. */
function missingCredentials(rule: Rule, namespace: string, secrets: TlsSecrets): Diagnostic[] {
  const lacking = credentials
    .get(rule, [], () => credentialsOf(rule))
    .filter((tls) => lacksCredential(tls, namespace, secrets));
  return lacking.map((tls) => {
    const what = tls.mode === "MUTUAL" ? "a certificate, its key and ca.crt" : "ca.crt";
    const message = `DestinationRule ${rule.namespace}/${rule.name}: gateways of ${namespace} have no Secret ${tls.credentialName} with ${what}: their calls are answered with 503`;
    const hint = "gateways read Secrets of their own namespace";
    return { code: "IST0101", severity: "warning", message, hint, origin: rule.origins.at("spec.host") };
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
