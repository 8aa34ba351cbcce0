import type { AuthorizationPolicySpec, OperationSpec } from "@weft/control/config/security-specs";
import type { MeshReader } from "../explain/mesh-reader.ts";
import type { Decision } from "./decision.ts";

/** One kind of request to try. */
export interface Probe {
  readonly method: string;
  readonly path: string;
}

/** Of one service at most so many kinds of requests are tried. */
const maxProbes = 16;

/**
 * The kinds of requests that the policies of a destination tell apart: what
 * their operations name, and one that none of them names.
 */
export async function probesFor({ policies }: Decision, reader: MeshReader): Promise<readonly Probe[]> {
  const names = new Set(
    policies.flatMap(({ detail = "", lost = [] }) => [
      detail.replace(/^by /, ""),
      ...lost.map(({ what }) => what),
    ]),
  );
  const probes = new Map<string, Probe>();
  const add = (probe: Probe) => {
    if (probes.size < maxProbes) probes.set(`${probe.method} ${probe.path}`, probe);
  };
  for (const name of [...names].sort()) {
    const [, namespace, policy] = /^AuthorizationPolicy (.+)\/(.+), rule \d+$/.exec(name) ?? [];
    if (!namespace || !policy) continue;
    const resource = await reader.written("AuthorizationPolicy", namespace, policy);
    const { rules = [] } = (resource?.spec ?? {}) as AuthorizationPolicySpec;
    for (const { to = [] } of rules)
      for (const { operation } of to) for (const one of kindsOf(operation)) add(one);
  }
  return [...probes.values()];
}

function kindsOf(operation: OperationSpec | undefined): Probe[] {
  const methods = operation?.methods ?? operation?.notMethods?.slice(0, 1) ?? ["GET"];
  const paths = operation?.paths ?? operation?.notPaths?.slice(0, 1) ?? ["/"];
  return methods.flatMap((method) =>
    paths.map((path) => ({ method: methodFor(method), path: pathFor(path) })),
  );
}

/** A method that a pattern matches. */
function methodFor(pattern: string): string {
  return pattern.replaceAll("*", "") || "GET";
}

/** A path that a pattern matches. */
function pathFor(pattern: string): string {
  const path = pattern.replaceAll("{**}", "x").replaceAll("{*}", "x").replaceAll("*", "x");
  return path.startsWith("/") ? path : `/${path}`;
}
