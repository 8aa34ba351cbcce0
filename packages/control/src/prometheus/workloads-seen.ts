import type { Workload } from "../registry/workload.ts";

type Labels = Readonly<Record<string, string>>;

/** Told apart; what else calls or is called is left out. */
const maxSeen = 20_000;

/**
 * Who the labels of Istio's metrics speak of: the registered workload of that
 * name, namespace and version, else one made of what the labels say, for what
 * has left since. Of several instances the first stands for all.
 */
export class WorkloadsSeen {
  readonly #seen = new Map<string, Workload>();

  constructor(registered: readonly Workload[]) {
    for (const workload of registered) {
      const key = keyOf(workload.namespace, workload.workloadName, workload.labels.version ?? "");
      if (!this.#seen.has(key)) this.#seen.set(key, workload);
    }
  }

  /** Everybody, also those that no labels spoke of. */
  get all(): readonly Workload[] {
    return [...this.#seen.values()];
  }

  /** Whose sidecar reported a series; undefined where the labels do not say. */
  reporterOf(labels: Labels): Workload | undefined {
    return labels.reporter === "source"
      ? this.#find(labels, "source", "")
      : this.#find(labels, "destination", serviceOf(labels));
  }

  /** Remembers both ends of a call, so that a caller has a place though only its server reports. */
  see(labels: Labels): void {
    this.#find(labels, "source", "");
    this.#find(labels, "destination", serviceOf(labels));
  }

  #find(labels: Labels, side: "source" | "destination", service: string): Workload | undefined {
    const name = said(labels[`${side}_workload`]);
    const namespace = said(labels[`${side}_workload_namespace`]);
    if (name === "" || namespace === "") return undefined;
    const version = said(labels[`${side}_version`]);
    const key = keyOf(namespace, name, version);
    const known = this.#seen.get(key);
    if (known || this.#seen.size >= maxSeen) return known;
    const [, serviceAccount = ""] = /\/sa\/([^/]+)$/.exec(labels[`${side}_principal`] ?? "") ?? [];
    const app = said(labels[`${side}_canonical_service`]) || name;
    const gone: Workload = {
      id: `${name}~${version}.${namespace}`,
      name,
      workloadName: name,
      namespace,
      serviceAccount,
      service,
      labels: { app, ...(version !== "" && { version }) },
      addresses: [],
      ports: [],
      interception: "REDIRECT",
      upstreams: [],
      isHealthy: false,
      hasSidecar: true,
    };
    this.#seen.set(key, gone);
    return gone;
  }
}

/** Of the service that was called, where it is one of the workload's own namespace. */
function serviceOf(labels: Labels): string {
  const isOwn = labels.destination_service_namespace === labels.destination_workload_namespace;
  return isOwn ? said(labels.destination_service_name) : "";
}

function keyOf(namespace: string, workload: string, version: string): string {
  return `${namespace}/${workload}/${version}`;
}

function said(label: string | undefined): string {
  return label === undefined || label === "unknown" ? "" : label;
}
