import type { ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import { furtherKey } from "./build-services.ts";
import { externalNameOf } from "./external-names.ts";
import { hostnameOf, selectsWorkloads } from "./host.ts";
import { SelectorIndex } from "./label-index.ts";
import type { MeshOptions } from "./mesh-options.ts";

/** What chooses workloads of its namespace by their labels: the labels, and keys of the services that it may make. */
interface Selector {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly keys: readonly string[];
}

interface Written {
  readonly selectors: SelectorIndex<Selector>;
  /** Names that ExternalName Services stand for. */
  readonly named: ReadonlySet<string>;
  readonly services: ReadonlyMap<string, ResourceOf<"Service">>;
}

/**
 * The services that are written down, by whom they select: asked of one workload,
 * it looks at few of them. Looks at all of them when it is asked first.
 */
export class ServiceSelectors {
  readonly #look: () => Written;
  #written: Written | undefined;

  constructor(
    services: readonly ResourceOf<"Service">[],
    entries: readonly ResourceOf<"ServiceEntry">[],
    options: MeshOptions,
  ) {
    this.#look = () => look(services, entries, options);
  }

  /** The Service of this hostname, where one is written. */
  written(hostname: string): ResourceOf<"Service"> | undefined {
    return this.#all.services.get(hostname);
  }

  /** Whether another Service may be a further name of the one of this hostname. */
  hasOtherNames(hostname: string): boolean {
    return this.#all.named.has(hostname);
  }

  /** Keys of the services that may select a workload: those that there are do. */
  *selecting({ namespace, labels }: Workload): Iterable<string> {
    for (const { keys } of this.#all.selectors.choosing(labels, namespace)) yield* keys;
  }
  get #all(): Written {
    this.#written ??= this.#look();
    return this.#written;
  }
}

function look(
  services: readonly ResourceOf<"Service">[],
  entries: readonly ResourceOf<"ServiceEntry">[],
  options: MeshOptions,
): Written {
  const selectors: Selector[] = [];
  const named = new Set<string>();
  const written = new Map<string, ResourceOf<"Service">>();
  for (const resource of services) {
    const { name, namespace, spec } = resource;
    const hostname = hostnameOf(name, namespace, options);
    written.set(hostname, resource);
    const external = externalNameOf(spec);
    if (external !== undefined) named.add(external);
    else if (selectsWorkloads(spec.selector))
      selectors.push({ namespace, labels: spec.selector, keys: [hostname] });
  }
  for (const entry of entries) {
    const labels = entry.spec.workloadSelector?.labels;
    if (!selectsWorkloads(labels)) continue;
    const hosts = entry.spec.hosts.map((host) => host.toLowerCase());
    const keys = hosts.flatMap((host) => [host, furtherKey(host, entry)]);
    selectors.push({ namespace: entry.namespace, labels, keys });
  }
  return { selectors: new SelectorIndex(selectors, (selector) => [selector]), named, services: written };
}
