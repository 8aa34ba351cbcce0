import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import { didYouMean } from "../config/suggest.ts";
import type { DestinationSpec } from "../config/virtual-service-specs.ts";
import { checkGateways } from "./check-gateway-references.ts";
import { checkReachable } from "./check-reachable.ts";
import { gatewayKey } from "./gateway-server.ts";
import { resolveHost } from "./host.ts";
import type { Mesh } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { nameListOf } from "./name-list.ts";
import type { Service } from "./service.ts";
import { nearnessTo } from "./visibility.ts";
import { WrittenSubsets } from "./written-subsets.ts";

type VirtualService = ResourceOf<"VirtualService">;

/** What was found in a VirtualService, and what that hangs on. */
interface Checked {
  readonly by: KnownDestinations;
  readonly said: readonly Diagnostic[];
  /** The services that it leads to; undefined where one is not there, so that it hangs on all of them. */
  readonly met: ReadonlyMap<string, Service> | undefined;
}

const checked = new WeakMap<VirtualService, Checked>();

/**
 * What VirtualServices may refer to: services, their subsets and ports, and
 * Gateways. Of thousands of VirtualServices those are checked again that lead to
 * something that has changed.
 */
export class KnownDestinations {
  readonly #services: Mesh["services"];
  readonly #rules: Mesh["rules"];
  readonly #options: MeshOptions;
  readonly #gatewayList: readonly ResourceOf<"Gateway">[];
  readonly #subsets: WrittenSubsets;
  readonly #gateways: ReadonlyMap<string, ResourceOf<"Gateway">>;

  constructor(
    services: Mesh["services"],
    rules: Mesh["rules"],
    options: MeshOptions,
    written: readonly ResourceOf<"DestinationRule">[],
    gateways: readonly ResourceOf<"Gateway">[],
  ) {
    this.#services = services;
    this.#rules = rules;
    this.#options = options;
    this.#subsets = new WrittenSubsets({ services, rules, options }, written);
    this.#gatewayList = gateways;
    this.#gateways = new Map(gateways.map((gateway) => [gatewayKey(gateway), gateway]));
  }

  /** Everything that is wrong with where its rules lead, and rules that can never apply. */
  check(resource: VirtualService): readonly Diagnostic[] {
    const known = checked.get(resource);
    if (known?.by === this) return known.said;
    if (known && this.#isAsWith(known, resource)) {
      checked.set(resource, { ...known, by: this });
      return known.said;
    }
    const diagnostics = new Diagnostics();
    const met = this.#checkDestinations(resource, diagnostics);
    checkReachable(resource, diagnostics);
    checkGateways(resource, this.#gateways, diagnostics);
    const said = diagnostics.all;
    checked.set(resource, { by: this, said, met });
    return said;
  }

  #isAsWith({ by, met }: Checked, { spec }: VirtualService): boolean {
    if (!met || by.#options !== this.#options || by.#rules !== this.#rules) return false;
    if (spec.gateways && by.#gatewayList !== this.#gatewayList) return false;
    for (const [host, service] of met) if (this.#services.get(host) !== service) return false;
    return true;
  }

  #checkDestinations(resource: VirtualService, diagnostics: Diagnostics): Checked["met"] {
    const met = new Map<string, Service>();
    let areMet = true;
    for (const { destination, path } of destinationsOf(resource)) {
      const host = resolveHost(destination.host, resource.namespace, this.#options);
      const service = this.#services.get(host);
      if (service && nearnessTo(resource.namespace, service) !== undefined) met.set(host, service);
      else areMet = false;
      this.#check(destination, host, path, resource, diagnostics);
    }
    return areMet ? met : undefined;
  }

  #check(
    destination: DestinationSpec,
    host: string,
    path: string,
    { namespace, origins }: VirtualService,
    diagnostics: Diagnostics,
  ): void {
    const services = this.#services;
    const service = services.get(host);
    if (!service) {
      const full = destination.host.includes(".") ? `${host}.svc.${this.#options.domainSuffix}` : host;
      const hint = services.has(full) ? `did you mean "${full}"?` : nameListOf(services).like(host);
      const message = `host ${host} is not known: calls routed to it are answered with 503`;
      diagnostics.warning("IST0101", origins.at(`${path}.host`), message, hint ?? "it may register later");
    } else if (!isSeen(host, namespace, services)) {
      const message = `host ${host} is not exported to namespace ${namespace}: calls routed to it from there are answered with 503`;
      const hint = `add ${namespace} to the exportTo of ${service.source?.origin ?? host}`;
      diagnostics.warning("W2115", origins.at(`${path}.host`), message, hint);
    }
    if (destination.subset) {
      const known = this.#subsets.of(host);
      if (!known.has(destination.subset)) {
        const message = `subset "${destination.subset}" of ${host} does not exist`;
        const names = [...known].sort().join(", ");
        const found = didYouMean(destination.subset, known) ?? (names ? `its subsets: ${names}` : undefined);
        const hint = found ?? `add a DestinationRule for ${destination.host} that defines it`;
        diagnostics.error("IST0101", origins.at(`${path}.subset`), message, hint);
      }
    }
    const port = destination.port?.number;
    if (service && port && !service.ports.some((p) => p.number === port)) {
      const message = `${host} has no port ${port}`;
      const hint = `its ports: ${service.ports.map((p) => p.number).join(", ") || "none"}`;
      diagnostics.warning("W2102", origins.at(`${path}.port.number`), message, hint);
    }
  }
}

interface PlacedDestination {
  readonly destination: DestinationSpec;
  readonly path: string;
}

/** All that its rules lead to, copies of requests too, with where it is written. */
function* destinationsOf({ spec }: VirtualService): Generator<PlacedDestination> {
  for (const [i, route] of (spec.http ?? []).entries()) {
    for (const [j, { destination }] of (route.route ?? []).entries()) {
      yield { destination, path: `spec.http[${i}].route[${j}].destination` };
    }
    if (route.mirror) yield { destination: route.mirror, path: `spec.http[${i}].mirror` };
    for (const [j, { destination }] of (route.mirrors ?? []).entries()) {
      yield { destination, path: `spec.http[${i}].mirrors[${j}].destination` };
    }
  }
  for (const kind of ["tcp", "tls"] as const) {
    for (const [i, { route = [] }] of (spec[kind] ?? []).entries()) {
      for (const [j, { destination }] of route.entries()) {
        yield { destination, path: `spec.${kind}[${i}].route[${j}].destination` };
      }
    }
  }
}

function isSeen(host: string, namespace: string, services: Mesh["services"]): boolean {
  if (nearnessTo(namespace, services.get(host)!) !== undefined) return true;
  return services
    .values()
    .some((other) => other.hostname === host && nearnessTo(namespace, other) !== undefined);
}
