import type { Workload } from "../registry/workload.ts";
import { hostnameOf } from "./host.ts";
import { LabelIndex } from "./label-index.ts";
import type { MeshOptions } from "./mesh-options.ts";

/** The workloads of a mesh, for services to find those that serve them. All in the order they are given. */
export class ServingWorkloads {
  /** Those that register for a service, by its hostname. */
  readonly byService: ReadonlyMap<string, readonly Workload[]>;
  readonly #byLabels: LabelIndex<Workload>;

  constructor(workloads: readonly Workload[], options: Pick<MeshOptions, "domainSuffix">) {
    const registered = workloads.filter(({ service }) => service !== "");
    this.byService = Map.groupBy(registered, ({ service, namespace }) =>
      hostnameOf(service, namespace, options),
    );
    this.#byLabels = new LabelIndex(workloads);
  }

  /** Those of a namespace with all of these labels. */
  select(namespace: string, labels: Readonly<Record<string, string>>): readonly Workload[] {
    return this.#byLabels.select(namespace, labels);
  }
}
