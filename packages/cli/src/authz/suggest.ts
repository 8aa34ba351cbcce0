import type { EdgeRow } from "@weft/control/api/protocol";
import type { MeshReader } from "../explain/mesh-reader.ts";

/** A policy that allows the callers of one service that were seen, and nobody else. */
export interface Suggestion {
  readonly namespace: string;
  readonly service: string;
  /** Labels that its workloads and no others have; undefined where there are none: nothing is suggested. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** Principals, `trust-domain/ns/…`, sorted. */
  readonly principals: readonly string[];
  /** What the policy would stop, or cannot be said by it. */
  readonly notes: readonly string[];
}

/**
 * Least-privilege policies for the calls that were seen: who proved an identity
 * and was not denied. Method and path of calls are not counted, so a policy says
 * who may call, not what.
 */
export async function suggestPolicies(
  edges: readonly EdgeRow[],
  reader: MeshReader,
  namespace: string | undefined,
): Promise<readonly Suggestion[]> {
  const inside = edges.filter(({ to }) => !to.isOutside && (namespace ?? to.namespace) === to.namespace);
  const byService = Map.groupBy(inside, ({ to }) => `${to.namespace}/${to.name}`);
  const suggestions: Suggestion[] = [];
  for (const [, rows] of [...byService].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { to } = rows[0]!;
    const principals = new Set<string>();
    const notes: string[] = [];
    for (const row of rows) {
      const { from, requestsPerSecond = 0, deniedPerSecond = 0, tcpConnections } = row;
      const who = from.namespace ? `${from.namespace}/${from.name}` : from.name;
      if (from.identity === "") notes.push(`calls of ${who} prove no identity, and would be denied`);
      else if (requestsPerSecond > 0 && deniedPerSecond >= requestsPerSecond && tcpConnections === 0) {
        notes.push(`calls of ${who} are denied now, and stay so`);
      } else principals.add(from.identity.replace(/^spiffe:\/\//, ""));
    }
    const labels = await labelsOf(to.namespace, to.name, reader);
    if (!labels)
      notes.push(`no label tells the workloads of ${to.name} from others: give them one called app`);
    suggestions.push({
      namespace: to.namespace,
      service: to.name,
      labels,
      principals: [...principals].sort(),
      notes: [...new Set(notes)].sort(),
    });
  }
  return suggestions;
}

/** `app` of a service's workloads, where all have the same and no other workload of the namespace has it. */
async function labelsOf(
  namespace: string,
  service: string,
  reader: MeshReader,
): Promise<Record<string, string> | undefined> {
  const { workloads } = await reader.findWorkloads({ name: `${service}.${namespace}` });
  const apps = new Set(workloads.map(({ labels }) => labels.app));
  const [app] = apps;
  if (apps.size !== 1 || app === undefined) return undefined;
  const { workloads: all } = await reader.findWorkloads({ name: "" });
  const ids = new Set(workloads.map(({ id }) => id));
  const isShared = all.some(
    (one) => one.namespace === namespace && one.labels.app === app && !ids.has(one.id),
  );
  return isShared ? undefined : { app };
}

/** As YAML that `weft apply` takes. */
export function formatSuggestions(suggestions: readonly Suggestion[]): string {
  return suggestions
    .map(({ namespace, service, labels, principals, notes }) => {
      const remarks = notes.map((note) => `# ${note}\n`).join("");
      if (!labels) return `# ${namespace}/${service}: nothing is suggested\n${remarks}`;
      const list = principals.map((one) => `            - ${JSON.stringify(one)}\n`).join("");
      const rules =
        principals.length > 0
          ? `  rules:\n    - from:\n        - source:\n            principals:\n${list.replaceAll("            - ", "              - ")}`
          : "";
      return `${remarks}apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${service}-callers, namespace: ${namespace} }
spec:
  selector: { matchLabels: { app: ${JSON.stringify(labels.app)} } }
  action: ALLOW
${rules}`;
    })
    .join("---\n");
}
