import { isIP } from "node:net";
import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import { canonicalName } from "./canonical-name.ts";
import { hasLabels, selectsWorkloads } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MtlsResolution } from "./mtls-resolution.ts";
import { type PortsOf, type WrittenEndpoint, writtenEndpoint } from "./written-endpoint.ts";

interface Context {
  readonly mtls: MtlsResolution;
  readonly options: MeshOptions;
}

/** A WorkloadEntry that a service selected. */
export interface SelectedEntry {
  endpoint(portsOf: PortsOf): WrittenEndpoint;
}

/** The WorkloadEntries of the mesh, for services to select by namespace and labels. */
export class WorkloadEntries {
  readonly #byNamespace: ReadonlyMap<string, readonly Labelled[]>;
  readonly #context: Context;
  readonly #diagnostics: Diagnostics;
  readonly #used = new Set<Labelled>();

  constructor(resources: readonly ResourceOf<"WorkloadEntry">[], context: Context, diagnostics: Diagnostics) {
    // As in Istio the resource's own labels win over those in its spec.
    const labelled = resources.map((resource) => ({
      resource,
      labels: { ...resource.spec.labels, ...resource.labels },
    }));
    this.#byNamespace = Map.groupBy(labelled, ({ resource }) => resource.namespace);
    this.#context = context;
    this.#diagnostics = diagnostics;
  }

  /**
   * Those of a namespace that have all these labels; none without a selector.
   * Where endpoints are IP addresses, an entry that has only a name is reported
   * and left out.
   */
  select(
    namespace: string,
    selector: Readonly<Record<string, string>> | undefined,
    addresses: "ip" | "ip or name",
  ): SelectedEntry[] {
    if (!selectsWorkloads(selector)) return [];
    const found = (this.#byNamespace.get(namespace) ?? []).filter(({ labels }) =>
      hasLabels(labels, selector),
    );
    for (const entry of found) this.#used.add(entry);
    return found
      .filter((entry) => addresses === "ip or name" || this.#hasIp(entry))
      .map(({ resource, labels }) => ({
        endpoint: (portsOf) => {
          const { spec: place, name } = resource;
          const workload = `${name};${namespace};${canonicalName(labels, name)};Kubernetes`;
          return writtenEndpoint({ place, namespace, labels, workload }, portsOf, this.#context);
        },
      }));
  }

  /** After every service has selected: names the entries that serve nothing. */
  reportUnused(): void {
    for (const entry of [...this.#byNamespace.values()].flat()) {
      if (this.#used.has(entry)) continue;
      const at = entry.resource.origins.at("metadata.name");
      const message = `no Service or ServiceEntry of namespace ${entry.resource.namespace} selects this WorkloadEntry`;
      this.#diagnostics.info("W2113", at, message, "it serves as soon as one does");
    }
  }

  #hasIp({ resource }: Labelled): boolean {
    const address = resource.spec.address!;
    if (isIP(address) !== 0) return true;
    const message = `"${address}" is a name, and a service that selects this WorkloadEntry takes IP addresses only: it is left out there`;
    const hint = "write an IP address, or select it by a ServiceEntry with resolution: DNS";
    this.#diagnostics.warning("W2114", resource.origins.at("spec.address"), message, hint);
    return false;
  }
}

interface Labelled {
  readonly resource: ResourceOf<"WorkloadEntry">;
  readonly labels: Readonly<Record<string, string>>;
}
