import { isIP } from "node:net";
import { type Diagnostic, type Diagnostics, type Told, told } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { ResourceOf } from "../config/resource.ts";
import { canonicalName } from "./canonical-name.ts";
import { selectsWorkloads } from "./host.ts";
import { LabelIndex } from "./label-index.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MtlsResolution } from "./mtls-resolution.ts";
import { type PortsOf, type WrittenEndpoint, writtenEndpoint } from "./written-endpoint.ts";

type WorkloadEntry = ResourceOf<"WorkloadEntry">;

interface Context {
  readonly mtls: MtlsResolution;
  readonly options: MeshOptions;
}

/** A WorkloadEntry that a service selected. */
export interface SelectedEntry {
  /** All that its endpoint is made from beside the service's ports. */
  readonly from: readonly unknown[];
  endpoint(portsOf: PortsOf): WrittenEndpoint;
}

export type EntriesUsed = readonly WorkloadEntry[];

/** What a service selected. */
export interface SelectedEntries {
  readonly found: readonly SelectedEntry[];
  readonly said: readonly Diagnostic[];
  /** Also those that it cannot use. */
  readonly used: EntriesUsed;
}

export const nothingSelected: SelectedEntries = { found: [], said: [], used: [] };

interface Labelled {
  readonly resource: WorkloadEntry;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

const labelled = new KeptFor<WorkloadEntry, Labelled>();
const indexes = new KeptFor<readonly WorkloadEntry[], LabelIndex<Labelled>>();
const unused = new KeptFor<WorkloadEntry, Told<void>>();
const nameless = new KeptFor<WorkloadEntry, Told<void>>();

/** The WorkloadEntries of the mesh, for services to select by namespace and labels. */
export class WorkloadEntries {
  /** All of them. */
  readonly written: readonly WorkloadEntry[];
  readonly #index: LabelIndex<Labelled>;
  readonly #context: Context;
  readonly #used = new Set<WorkloadEntry>();

  constructor(resources: readonly WorkloadEntry[], context: Context) {
    this.written = resources;
    this.#index = indexes.get(resources, [], () => new LabelIndex(resources.map(labelledOf)));
    this.#context = context;
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
  ): SelectedEntries {
    if (!selectsWorkloads(selector)) return nothingSelected;
    const { mtls, options } = this.#context;
    const all = this.#index.select(namespace, selector);
    if (all.length === 0) return nothingSelected;
    const isUsable = ({ resource }: Labelled) => addresses === "ip or name" || hasIp(resource);
    const found = all.filter(isUsable).map(
      ({ resource, labels }): SelectedEntry => ({
        from: [resource, mtls.of({ namespace, labels }), options],
        endpoint: (portsOf) => {
          const { spec: place, name } = resource;
          const workload = `${name};${namespace};${canonicalName(labels, name)};Kubernetes`;
          return writtenEndpoint({ place, namespace, labels, workload }, portsOf, this.#context);
        },
      }),
    );
    const said = all.filter((one) => !isUsable(one)).flatMap(({ resource }) => ofName(resource));
    return { found, said, used: all.map(({ resource }) => resource) };
  }

  /** Hears which a service has selected. */
  use(used: EntriesUsed): void {
    for (const resource of used) this.#used.add(resource);
  }

  /** After every service has selected: names the entries that serve nothing. */
  reportUnused(diagnostics: Diagnostics): void {
    for (const resource of this.written) {
      if (this.#used.has(resource)) continue;
      diagnostics.add(unused.get(resource, [], () => told((own) => reportUnused(resource, own))).said);
    }
  }
}

function hasIp({ spec }: WorkloadEntry): boolean {
  return isIP(spec.address!) !== 0;
}

function ofName(resource: WorkloadEntry): readonly Diagnostic[] {
  return nameless.get(resource, [], () => told((own) => reportName(resource, own))).said;
}

/** As in Istio the resource's own labels win over those in its spec. */
function labelledOf(resource: WorkloadEntry): Labelled {
  const { namespace, spec, labels } = resource;
  return labelled.get(resource, [], () => ({ resource, namespace, labels: { ...spec.labels, ...labels } }));
}

function reportUnused({ namespace, origins }: WorkloadEntry, diagnostics: Diagnostics): void {
  const message = `no Service or ServiceEntry of namespace ${namespace} selects this WorkloadEntry`;
  diagnostics.info("W2113", origins.at("metadata.name"), message, "it serves as soon as one does");
}

function reportName({ spec, origins }: WorkloadEntry, diagnostics: Diagnostics): void {
  const message = `"${spec.address}" is a name, and a service that selects this WorkloadEntry takes IP addresses only: it is left out there`;
  const hint = "write an IP address, or select it by a ServiceEntry with resolution: DNS";
  diagnostics.warning("W2114", origins.at("spec.address"), message, hint);
}
