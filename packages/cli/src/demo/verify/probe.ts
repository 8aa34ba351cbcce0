import { join } from "node:path";
import { packageRoot } from "../../package-root.ts";
import { runCommand } from "../command.ts";
import type { DemoMesh } from "../mesh.ts";
import { findWorkload } from "../topology.ts";

/** What came back, counted by a program that knows nothing of the mesh. */
export interface ProbeResult {
  readonly statuses: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
  readonly slowestMs: number;
  readonly sample: unknown;
}

export interface ProbeRequest {
  readonly from: string;
  readonly service: string;
  readonly path: string;
  readonly count: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends plain HTTP from beside a workload, as its application would. */
export async function probe(mesh: DemoMesh, request: ProbeRequest): Promise<ProbeResult> {
  const caller = findWorkload(request.from);
  const script = join(packageRoot, "demo", "apps", "probe.mjs");
  const headers = Object.entries(request.headers ?? {}).map(([name, value]) => `${name}=${value}`);
  const url = mesh.urlOf(caller, request.service, request.path);
  const [program, ...args] = mesh.beside(caller, [
    process.execPath,
    script,
    url,
    String(request.count),
    ...headers,
  ]);
  return JSON.parse(await runCommand(program!, args, { timeoutMs: 120_000 }));
}
