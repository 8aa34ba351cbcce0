import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import type { DestinationSpec } from "../config/specs.ts";
import { didYouMean } from "../config/suggest.ts";
import { checkDelegates } from "./check-delegates.ts";
import { checkGateways } from "./check-gateway-references.ts";
import { checkReachable } from "./check-reachable.ts";
import { checkTelemetryServices } from "./check-telemetry-services.ts";
import { gatewayKey } from "./gateway-server.ts";
import { coversHost, resolveHost } from "./host.ts";
import type { Mesh } from "./mesh.ts";
import { isForWorkload, isSelective } from "./policy-target.ts";
import { isHttp } from "./protocol.ts";
import type { ResourcesByKind } from "./sorting.ts";
import { nearnessTo } from "./visibility.ts";

/** Names what a resource refers to and is not there, and rules that can never apply. Changes nothing. */
export function checkReferences(mesh: Mesh, resources: ResourcesByKind, diagnostics: Diagnostics): void {
  const subsets = writtenSubsets(mesh, resources);
  const gateways = new Map(resources.Gateway.map((gateway) => [gatewayKey(gateway), gateway]));
  for (const resource of resources.VirtualService) {
    const { spec } = resource;
    const check = (destination: DestinationSpec, path: string) =>
      checkDestination(destination, path, resource, mesh, subsets, diagnostics);
    spec.http?.forEach((route, i) => {
      route.route?.forEach(({ destination }, j) => {
        check(destination, `spec.http[${i}].route[${j}].destination`);
      });
      if (route.mirror) check(route.mirror, `spec.http[${i}].mirror`);
      route.mirrors?.forEach(({ destination }, j) => {
        check(destination, `spec.http[${i}].mirrors[${j}].destination`);
      });
    });
    for (const kind of ["tcp", "tls"] as const) {
      spec[kind]?.forEach((route, i) => {
        route.route?.forEach(({ destination }, j) => {
          check(destination, `spec.${kind}[${i}].route[${j}].destination`);
        });
      });
    }
    checkReachable(resource, diagnostics);
    checkGateways(resource, gateways, diagnostics);
  }
  checkDelegates(resources.VirtualService, diagnostics);
  for (const resource of resources.DestinationRule) {
    const host = resolveHost(resource.spec.host, resource.namespace, mesh.options);
    if (host.startsWith("*") || mesh.services.has(host)) continue;
    const hint = didYouMean(host, mesh.services.keys()) ?? "it applies as soon as the service exists";
    diagnostics.info("W2104", resource.origins.at("spec.host"), `no service ${host} is known yet`, hint);
  }
  checkAddresses(mesh, resources, diagnostics);
  for (const resource of resources.Telemetry) checkTelemetryServices(resource, mesh, diagnostics);
  for (const resource of resources.Sidecar) checkEgressHosts(resource, mesh, diagnostics);
  for (const resource of [...resources.AuthorizationPolicy, ...resources.RequestAuthentication]) {
    checkSelection(resource, mesh, diagnostics);
    if (resource.kind === "AuthorizationPolicy") checkProvider(resource, mesh, diagnostics);
  }
}

/** Who is asked about requests must be there to be asked. */
function checkProvider(
  { spec, origins }: ResourceOf<"AuthorizationPolicy">,
  { services, options }: Mesh,
  diagnostics: Diagnostics,
): void {
  const provider = options.defaults.authorizationProviders[spec.provider?.name ?? ""];
  if (!provider || services.get(provider.host)?.ports.some(({ number }) => number === provider.port)) return;
  const what = `the provider's service ${provider.host} has no port ${provider.port} or is not known`;
  const then = provider.failsOpen
    ? "what it should be asked about is allowed"
    : "what it should be asked about is denied";
  diagnostics.warning(
    "IST0101",
    origins.at("spec.provider.name"),
    `${what}: ${then}`,
    "it may register later",
  );
}

/** A policy that selects by more than its namespace, and selects nothing. */
function checkSelection(
  resource: ResourceOf<"AuthorizationPolicy" | "RequestAuthentication">,
  mesh: Mesh,
  diagnostics: Diagnostics,
): void {
  const { spec } = resource;
  if (!isSelective(spec)) return;
  if (mesh.workloads.values().some((workload) => isForWorkload(resource, workload, mesh.options))) return;
  const [path, what] = spec.selector
    ? ["spec.selector.matchLabels", "workload of namespace %s has these labels"]
    : [spec.targetRefs ? "spec.targetRefs" : "spec.targetRef", "proxy of these Gateways is in namespace %s"];
  const message = `no ${what.replace("%s", resource.namespace)}: the policy protects nothing yet`;
  diagnostics.warning("IST0127", resource.origins.at(path), message);
}

/** A host that names nothing is most often a short name, which Istio does not complete here. */
function checkEgressHosts(
  { spec, origins, namespace }: ResourceOf<"Sidecar">,
  mesh: Mesh,
  diagnostics: Diagnostics,
): void {
  spec.egress?.forEach((listener, i) => {
    listener.hosts?.forEach((written, j) => {
      const host = written.slice(written.indexOf("/") + 1).toLowerCase();
      if (
        host.startsWith("*") ||
        written.startsWith("~") ||
        mesh.services.has(host) ||
        mesh.routing.has(host)
      )
        return;
      const full = resolveHost(host, namespace, mesh.options);
      const hint = mesh.services.has(full)
        ? `did you mean "${full}"?`
        : didYouMean(host, mesh.services.keys());
      const message = `no service ${host} is known yet`;
      diagnostics.info(
        "W2104",
        origins.at(`spec.egress[${i}].hosts[${j}]`),
        message,
        hint ?? "it can be called as soon as it exists",
      );
    });
  });
}

/** TCP says no host: without an address of its own, only one service can be told by its port alone. */
function checkAddresses(mesh: Mesh, resources: ResourcesByKind, diagnostics: Diagnostics): void {
  const byPort = new Map<number, string[]>();
  const taken = new Set<number>();
  for (const { hostname, ports, addresses, isHeadless } of mesh.services.values()) {
    for (const { number, protocol } of ports) {
      if (isHttp(protocol)) taken.add(number);
      if (protocol !== "tcp" || addresses.length > 0 || isHeadless) continue;
      byPort.set(number, [...(byPort.get(number) ?? []), hostname]);
    }
  }
  for (const resource of resources.ServiceEntry) {
    resource.spec.ports?.forEach(({ number }, i) => {
      const hosts = byPort.get(number) ?? [];
      const own = resource.spec.hosts.find((host) => hosts.includes(host.toLowerCase()));
      if (!own || (hosts.length === 1 && !taken.has(number))) return;
      const message = `${own} has no address, and TCP port ${number} is also used by others: it cannot be told apart`;
      diagnostics.warning(
        "W2111",
        resource.origins.at(`spec.ports[${i}].number`),
        message,
        "add spec.addresses",
      );
    });
  }
}

/** Subset names by host, whoever their rule is for, from DestinationRules whether or not their service exists. */
function writtenSubsets(mesh: Mesh, resources: ResourcesByKind): Map<string, Set<string>> {
  const subsets = new Map<string, Set<string>>();
  for (const { hostname, subsets: own } of mesh.services.values()) {
    if (own.length > 0) subsets.set(hostname, new Set(own.map((s) => s.name)));
  }
  for (const { host, subsets: own } of mesh.rules.values()) {
    for (const hostname of host.startsWith("*") ? mesh.services.keys() : [host]) {
      if (!coversHost(host, hostname)) continue;
      const known = subsets.get(hostname) ?? new Set<string>();
      for (const { name } of own) known.add(name);
      subsets.set(hostname, known);
    }
  }
  for (const { spec, namespace } of resources.DestinationRule) {
    const host = resolveHost(spec.host, namespace, mesh.options);
    if (mesh.services.has(host)) continue;
    const known = subsets.get(host) ?? new Set<string>();
    for (const { name } of spec.subsets ?? []) known.add(name);
    subsets.set(host, known);
  }
  return subsets;
}

function checkDestination(
  destination: DestinationSpec,
  path: string,
  resource: ResourceOf<"VirtualService">,
  mesh: Mesh,
  subsets: ReadonlyMap<string, ReadonlySet<string>>,
  diagnostics: Diagnostics,
): void {
  const host = resolveHost(destination.host, resource.namespace, mesh.options);
  const service = mesh.services.get(host);
  if (!service) {
    const full = destination.host.includes(".") ? `${host}.svc.${mesh.options.domainSuffix}` : host;
    const hint = mesh.services.has(full) ? `did you mean "${full}"?` : didYouMean(host, mesh.services.keys());
    const message = `host ${host} is not known: calls routed to it are answered with 503`;
    diagnostics.warning(
      "IST0101",
      resource.origins.at(`${path}.host`),
      message,
      hint ?? "it may register later",
    );
  } else if (!isSeen(host, resource.namespace, mesh)) {
    const message = `host ${host} is not exported to namespace ${resource.namespace}: calls routed to it from there are answered with 503`;
    const hint = `add ${resource.namespace} to the exportTo of ${service.source?.origin ?? host}`;
    diagnostics.warning("W2115", resource.origins.at(`${path}.host`), message, hint);
  }
  if (destination.subset) {
    const known = subsets.get(host) ?? new Set<string>();
    if (!known.has(destination.subset)) {
      const message = `subset "${destination.subset}" of ${host} does not exist`;
      const names = [...known].sort().join(", ");
      const found = didYouMean(destination.subset, known) ?? (names ? `its subsets: ${names}` : undefined);
      const hint = found ?? `add a DestinationRule for ${destination.host} that defines it`;
      diagnostics.error("IST0101", resource.origins.at(`${path}.subset`), message, hint);
    }
  }
  const port = destination.port?.number;
  if (service && port && !service.ports.some((p) => p.number === port)) {
    const message = `${host} has no port ${port}`;
    const hint = `its ports: ${service.ports.map((p) => p.number).join(", ") || "none"}`;
    diagnostics.warning("W2102", resource.origins.at(`${path}.port.number`), message, hint);
  }
}

function isSeen(host: string, namespace: string, { services }: Mesh): boolean {
  if (nearnessTo(namespace, services.get(host)!) !== undefined) return true;
  return [...services.values()].some(
    (other) => other.hostname === host && nearnessTo(namespace, other) !== undefined,
  );
}
