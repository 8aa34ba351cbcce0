import { KeptFor } from "@weft/base/kept-for";
import type { ResourceOf } from "../config/resource.ts";
import type { ProbeSpec } from "../config/service-specs.ts";
import type { Workload, WorkloadPort } from "../registry/workload.ts";
import { type Locality, parseLocality } from "./locality.ts";
import { declaredProtocol } from "./protocol.ts";
import type { Provenance } from "./provenance.ts";
import { provenanceOf } from "./provenance.ts";
import type { ProxyConfigs } from "./proxy-configs.ts";
import type { ProxySettings } from "./proxy-settings.ts";

type Group = ResourceOf<"WorkloadGroup">;

const given = new KeptFor<Group, Given>();
const members = new KeptFor<Workload, Workload>();
/** The same object for the same labels, so that a change of health alone is seen to be one. */
const labelled = new KeptFor<Workload["labels"], Workload["labels"]>();
const withProxy = new KeptFor<ProxySettings, WeakMap<object, WorkloadTemplate>>();
const noTemplate = {};

/** What the agent of a workload must know: what its group says, and how its proxy is started. */
export interface WorkloadTemplate {
  readonly proxy?: ProxySettings;
  readonly ports: readonly number[];
  readonly probe: ProbeSpec | undefined;
  /** Undefined where it has no group. */
  readonly source: Provenance | undefined;
}

/**
 * The WorkloadGroups of a mesh, by which those workloads that name one are
 * completed: what they say of themselves goes before what the group's metadata
 * says, and that before its template, as in Istio.
 */
export class WorkloadGroups {
  readonly #byKey: ReadonlyMap<string, Group>;
  readonly #proxies: Pick<ProxyConfigs, "of"> | undefined;

  constructor(groups: readonly Group[], proxies?: Pick<ProxyConfigs, "of">) {
    this.#proxies = proxies;
    this.#byKey = new Map(groups.map((group) => [`${group.namespace}/${group.name}`, group]));
  }

  /** The workload as a member of its group; itself where it has none. The very same object each time. */
  member(workload: Workload): Workload {
    const group = this.#groupOf(workload);
    if (!group) return workload;
    return members.get(workload, [group], () => memberOf(workload, group));
  }

  /** What the agent of a workload must know; undefined for one that has no group and an ordinary proxy. */
  templateOf(workload: Grouped & Pick<Workload, "labels">): WorkloadTemplate | undefined {
    const group = this.#groupOf(workload);
    const own = group && givenBy(group).template;
    const proxy = this.#proxies?.of(workload);
    // One whose group is not there is not ready, and is told nothing.
    if (!proxy || (workload.group !== undefined && !own)) return own;
    const made = withProxy.get(proxy, [], () => new WeakMap<object, WorkloadTemplate>());
    const template = made.get(own ?? noTemplate) ?? {
      ...{ ports: [], probe: undefined, source: undefined },
      ...own,
      proxy,
    };
    made.set(own ?? noTemplate, template);
    return template;
  }

  /** Why a workload cannot be a member of the group it names, whatever becomes of it; undefined where it can. */
  refusal({ group: name, namespace, serviceAccount }: Grouped): string | undefined {
    const wanted = this.#byKey.get(`${namespace}/${name}`)?.spec.template.serviceAccount;
    if (!wanted || wanted === serviceAccount) return undefined;
    return `WorkloadGroup ${namespace}/${name} is for service account ${wanted}, not ${serviceAccount}: use --service-account ${wanted} and a token for it`;
  }

  /** Why the group that a workload names is not its group; undefined where all is well. */
  problem(workload: Grouped): string | undefined {
    const { group: name, namespace } = workload;
    if (name === undefined) return undefined;
    const isThere = this.#byKey.has(`${namespace}/${name}`);
    return isThere ? this.refusal(workload) : `there is no WorkloadGroup ${namespace}/${name}`;
  }

  #groupOf(workload: Grouped): Group | undefined {
    if (workload.group === undefined || this.refusal(workload) !== undefined) return undefined;
    return this.#byKey.get(`${workload.namespace}/${workload.group}`);
  }
}

function memberOf(workload: Workload, group: Group): Workload {
  const { weight, locality, namedPorts, ports } = givenBy(group);
  const { template, metadata } = group.spec;
  const { labels: own } = workload;
  return {
    ...workload,
    labels: labelled.get(own, [group], () => ({ ...template.labels, ...metadata?.labels, ...own })),
    // Without interception a port is also where peers connect, which only the workload can say.
    ports: workload.ports.length > 0 || workload.interception === "NONE" ? workload.ports : ports,
    namedPorts,
    ...(weight ? { weight } : {}),
    ...(locality && !workload.locality ? { locality } : {}),
  };
}

function givenBy(group: Group): Given {
  return given.get(group, [], () => {
    const { template, probe } = group.spec;
    const namedPorts = template.ports ?? {};
    const ports = portsOf(namedPorts);
    return {
      namedPorts,
      ports,
      weight: template.weight,
      locality: template.locality ? parseLocality(template.locality) : undefined,
      template: { ports: ports.map(({ port }) => port), probe, source: provenanceOf(group) },
    };
  });
}

type Grouped = Pick<Workload, "group" | "namespace" | "serviceAccount">;

/** What a group gives to each of its workloads. */
interface Given {
  readonly namedPorts: Readonly<Record<string, number>>;
  readonly ports: readonly WorkloadPort[];
  readonly weight: number | undefined;
  readonly locality: Locality | undefined;
  readonly template: WorkloadTemplate;
}

/** Named as a Service names its ports: the name says the protocol. */
function portsOf(named: Readonly<Record<string, number>>): WorkloadPort[] {
  const ports = new Map<number, WorkloadPort>();
  for (const [name, port] of Object.entries(named)) {
    if (ports.has(port)) continue;
    ports.set(port, { port, name, protocol: declaredProtocol({ name }) ?? "tcp", listenPort: port });
  }
  return [...ports.values()].sort((a, b) => a.port - b.port);
}
