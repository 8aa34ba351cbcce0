import { Diagnostics } from "@weft/base/diagnostics";
import { keepLatest } from "@weft/base/keep-latest";
import type { ResourceOf } from "../config/resource.ts";
import { checkDelegates } from "./check-delegates.ts";
import { idleIngressTls } from "./check-ingress-tls.ts";
import { idlePolicies } from "./check-policies.ts";
import { checkTelemetryServices } from "./check-telemetry-services.ts";
import { resolveHost } from "./host.ts";
import { KnownDestinations } from "./known-destinations.ts";
import type { Mesh } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { type NameList, nameListOf } from "./name-list.ts";
import { isHttp } from "./protocol.ts";
import type { ResourcesByKind } from "./sorting.ts";

/** Names what a resource refers to and is not there, and rules that can never apply. Changes nothing. */
export function checkReferences(mesh: Mesh, resources: ResourcesByKind, diagnostics: Diagnostics): void {
  const known = knownThings(
    mesh.services,
    mesh.rules,
    mesh.options,
    resources.DestinationRule,
    resources.Gateway,
  );
  for (const resource of resources.VirtualService) diagnostics.add(known.check(resource));
  checkDelegates(resources.VirtualService, diagnostics);
  diagnostics.add(unknownRuleHosts(nameListOf(mesh.services), mesh.options, resources.DestinationRule));
  diagnostics.add(sharedPorts(mesh.services, resources.ServiceEntry));
  for (const resource of resources.Telemetry) checkTelemetryServices(resource, mesh, diagnostics);
  for (const resource of resources.Sidecar) checkEgressHosts(resource, mesh, diagnostics);
  diagnostics.add(idleIngressTls(mesh.workloads, resources.Sidecar));
  diagnostics.add(
    idlePolicies(
      mesh.workloads,
      mesh.services,
      mesh.options,
      resources.AuthorizationPolicy,
      resources.RequestAuthentication,
    ),
  );
}

const knownThings = keepLatest(
  (...given: ConstructorParameters<typeof KnownDestinations>) => new KnownDestinations(...given),
);

const unknownRuleHosts = keepLatest(
  (services: NameList, options: MeshOptions, rules: readonly ResourceOf<"DestinationRule">[]) => {
    const diagnostics = new Diagnostics();
    for (const { spec, namespace, origins } of rules) {
      const host = resolveHost(spec.host, namespace, options);
      if (host.startsWith("*") || services.has(host)) continue;
      const hint = services.like(host) ?? "it applies as soon as the service exists";
      diagnostics.info("W2104", origins.at("spec.host"), `no service ${host} is known yet`, hint);
    }
    return diagnostics.all;
  },
);

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
      ) {
        return;
      }
      const full = resolveHost(host, namespace, mesh.options);
      const hint = mesh.services.has(full) ? `did you mean "${full}"?` : nameListOf(mesh.services).like(host);
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
const sharedPorts = keepLatest(
  (services: Mesh["services"], entries: readonly ResourceOf<"ServiceEntry">[]) => {
    const diagnostics = new Diagnostics();
    if (entries.length === 0) return diagnostics.all;
    const byPort = new Map<number, string[]>();
    const taken = new Set<number>();
    for (const { hostname, ports, addresses, ranges, isHeadless } of services.values()) {
      for (const { number, protocol } of ports) {
        if (isHttp(protocol)) taken.add(number);
        if (protocol !== "tcp" || addresses.length > 0 || ranges || isHeadless) continue;
        const hosts = byPort.get(number);
        if (hosts) hosts.push(hostname);
        else byPort.set(number, [hostname]);
      }
    }
    for (const resource of entries) {
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
    return diagnostics.all;
  },
);
