import { UserError } from "@weft/base/errors";
import type { MeshName } from "@weft/control/api/mesh-protocol";
import type { EdgeRow } from "@weft/control/api/protocol";
import type { Explainer } from "../explain/explainer.ts";
import type { MeshReader } from "../explain/mesh-reader.ts";
import { parseQuestion } from "../explain/question.ts";
import { type Decision, decide, together, type Verdict } from "./decision.ts";
import { type Probe, probesFor } from "./probes.ts";

/** One caller and one port of a service. */
export interface MatrixCell {
  /** SPIFFE ID. */
  readonly caller: string;
  /** `name.namespace:port` */
  readonly callee: string;
  readonly verdict: Verdict;
  /** Kinds of requests that are allowed and denied, where policies tell them apart. */
  readonly requests: readonly (Probe & { readonly verdict: Verdict })[];
  /** Calls per second that were seen lately, and those of them that were denied; undefined where nobody looks. */
  readonly seenPerSecond?: number;
  readonly deniedPerSecond?: number;
}

/** More pairs than this are a question about one namespace at a time. */
const maxCells = 4000;

/** Every identity of the mesh against every port of its services: what its policies say, and what was seen. */
export async function buildMatrix(
  reader: MeshReader,
  explainer: Explainer,
  options: { readonly namespace?: string; readonly edges: readonly EdgeRow[] },
): Promise<readonly MatrixCell[]> {
  const callers = await callersOf(reader);
  const services = (await reader.names()).filter(
    ({ isExternal, namespace }) => !isExternal && (options.namespace ?? namespace) === namespace,
  );
  const ports = services.flatMap((service) => service.ports.map((port) => ({ service, port })));
  if (callers.size * ports.length > maxCells) {
    throw new UserError(`${callers.size} callers and ${ports.length} ports are too many for one table`, {
      hint: "ask about one namespace with -n",
      exitCode: 2,
    });
  }
  const cells: MatrixCell[] = [];
  for (const [identity, workload] of callers) {
    for (const { service, port } of ports) {
      cells.push(await cellOf({ identity, workload, service, port }, reader, explainer, options.edges));
    }
  }
  return cells;
}

/** Each identity with one of its workloads: policies know no difference between them. */
async function callersOf(reader: MeshReader): Promise<ReadonlyMap<string, string>> {
  const { workloads } = await reader.findWorkloads({ name: "" });
  const callers = new Map<string, string>();
  for (const { id, identity } of workloads) if (!callers.has(identity)) callers.set(identity, id);
  return new Map([...callers].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function cellOf(
  pair: {
    readonly identity: string;
    readonly workload: string;
    readonly service: MeshName;
    readonly port: number;
  },
  reader: MeshReader,
  explainer: Explainer,
  edges: readonly EdgeRow[],
): Promise<MatrixCell> {
  const { identity, workload, service, port } = pair;
  const ask = (probe: Probe) => {
    const url = `http://${service.hostname}:${port}${probe.path}`;
    return decideOrNot(explainer, workload, url, probe.method);
  };
  const plain: Probe = { method: "GET", path: "/" };
  const first = await ask(plain);
  const requests = [{ ...plain, verdict: first?.verdict ?? "unreachable" }];
  if (first) {
    for (const probe of await probesFor(first, reader)) {
      if (probe.method === plain.method && probe.path === plain.path) continue;
      requests.push({ ...probe, verdict: (await ask(probe))?.verdict ?? "unreachable" });
    }
  }
  const seen = edges.filter(
    ({ from, to }) =>
      from.identity === identity && to.namespace === service.namespace && to.name === service.name,
  );
  const sum = (of: (row: EdgeRow) => number | undefined) =>
    seen.reduce((total, row) => total + (of(row) ?? 0), 0);
  return {
    caller: identity,
    callee: `${service.name}.${service.namespace}:${port}`,
    verdict: together(requests.map(({ verdict }) => verdict)),
    requests,
    ...(seen.length > 0 && {
      seenPerSecond: sum((row) => row.requestsPerSecond) + sum((row) => row.tcpConnections),
      deniedPerSecond: sum((row) => row.deniedPerSecond),
    }),
  };
}

/** Undefined where the caller has no way to the service at all. */
async function decideOrNot(
  explainer: Explainer,
  from: string,
  url: string,
  method: string,
): Promise<Decision | undefined> {
  try {
    return await decide(explainer, parseQuestion(from, url, { method }));
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
