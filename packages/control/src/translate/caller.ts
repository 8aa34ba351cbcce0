import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import type { HostRouting } from "../model/routing.ts";

/** What routes may depend on about the workload that calls. */
export interface Caller {
  readonly namespace: string;
  /** Only the labels that some route asks about, so that workloads alike share their routes. */
  readonly labels: Readonly<Record<string, string>>;
}

export function callerOf(workload: MeshWorkload, mesh: Pick<Mesh, "routing">): Caller {
  const labels: Record<string, string> = {};
  for (const name of askedLabels(mesh.routing)) {
    const value = workload.labels[name];
    if (value !== undefined) labels[name] = value;
  }
  return { namespace: workload.namespace, labels };
}

/** Equal for callers that get equal routes. */
export function callerKey({ namespace, labels }: Caller): string {
  return JSON.stringify([namespace, ...Object.entries(labels)]);
}

const askedByHost = new WeakMap<HostRouting, readonly string[]>();

function labelsIn(routing: HostRouting): readonly string[] {
  let asked = askedByHost.get(routing);
  if (!asked) {
    const { http, tcp, tls } = routing;
    asked = [...http, ...tcp, ...tls].flatMap(({ matches }) =>
      matches.flatMap(({ source }) => Object.keys(source.labels)),
    );
    askedByHost.set(routing, asked);
  }
  return asked;
}

const askedByRouting = new WeakMap<Mesh["routing"], readonly string[]>();

function askedLabels(routing: Mesh["routing"]): readonly string[] {
  let asked = askedByRouting.get(routing);
  if (!asked) {
    const names = new Set<string>();
    for (const one of routing.values()) for (const name of labelsIn(one)) names.add(name);
    asked = [...names].sort();
    askedByRouting.set(routing, asked);
  }
  return asked;
}
