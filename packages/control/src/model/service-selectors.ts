import type { ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import { furtherKey } from "./build-services.ts";
import { externalNameOf } from "./external-names.ts";
import { hasLabels, hostnameOf, selectsWorkloads } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { ResourcesByKind } from "./sorting.ts";

type Labels = Readonly<Record<string, string>>;

/** Something that chooses workloads of its namespace by their labels. */
interface Selector {
  readonly labels: Labels;
  /** Of the services that it may make. */
  readonly keys: readonly string[];
}

/** The services that are written down, by whom they select: asked of one workload, it looks at few of them. */
export class ServiceSelectors {
  /** By namespace and the first label that is wanted; by the namespace alone where none is. */
  readonly #selectors = new Map<string, Selector[]>();
  /** Names that ExternalName Services stand for. */
  readonly #named = new Set<string>();
  readonly #written = new Map<string, ResourceOf<"Service">>();

  constructor({ Service, ServiceEntry }: ResourcesByKind, options: MeshOptions) {
    for (const resource of Service) {
      const { name, namespace, spec } = resource;
      const hostname = hostnameOf(name, namespace, options);
      this.#written.set(hostname, resource);
      const named = externalNameOf(spec);
      if (named !== undefined) this.#named.add(named);
      else if (selectsWorkloads(spec.selector))
        this.#add(namespace, { labels: spec.selector, keys: [hostname] });
    }
    for (const entry of ServiceEntry) {
      const labels = entry.spec.workloadSelector?.labels;
      const hosts = entry.spec.hosts.map((host) => host.toLowerCase());
      const keys = hosts.flatMap((host) => [host, furtherKey(host, entry)]);
      if (selectsWorkloads(labels)) this.#add(entry.namespace, { labels, keys });
    }
  }

  /** The Service of this hostname, where one is written. */
  written(hostname: string): ResourceOf<"Service"> | undefined {
    return this.#written.get(hostname);
  }

  /** Whether another Service may be a further name of the one of this hostname. */
  hasOtherNames(hostname: string): boolean {
    return this.#named.has(hostname);
  }

  /** Keys of the services that may select a workload: those that there are do. */
  *selecting({ namespace, labels }: Workload): Iterable<string> {
    const pairs = Object.entries(labels);
    for (const key of [namespace, ...pairs.map((pair) => keyOf(namespace, pair))]) {
      for (const selector of this.#selectors.get(key) ?? []) {
        if (hasLabels(labels, selector.labels)) yield* selector.keys;
      }
    }
  }

  #add(namespace: string, selector: Selector): void {
    const [first] = Object.entries(selector.labels);
    const key = first ? keyOf(namespace, first) : namespace;
    const known = this.#selectors.get(key);
    if (known) known.push(selector);
    else this.#selectors.set(key, [selector]);
  }
}

function keyOf(namespace: string, [name, value]: readonly [string, string]): string {
  return `${namespace} ${name}=${value}`;
}
