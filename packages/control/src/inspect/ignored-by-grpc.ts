import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
import type { Origin } from "@weft/base/origin";
import type { Mesh } from "../model/mesh.ts";
import type { HeaderEdits, HttpRoute } from "../model/routing.ts";

/**
 * What of the mesh's routing gRPC applications without a sidecar do not do, said
 * while there are any: a rewrite that some callers ignore bites later than a
 * warning.
 *
 * @param clients how many such clients are connected
 */
export function ignoredByGrpc(
  { routing, attached }: Pick<Mesh, "routing" | "attached">,
  clients: number,
): readonly Diagnostic[] {
  if (clients === 0) return [];
  const found = new Diagnostics();
  const who = clients === 1 ? "1 client without a sidecar" : `${clients} clients without a sidecar`;
  const said = new Set<string>();
  for (const { host, http } of routing.values()) tell(host, http);
  for (const { host, producer, consumers } of attached.values()) {
    const ports = [producer, ...consumers.values()].flatMap((byPort) => [...byPort.values()]);
    tell(
      host,
      ports.flatMap(({ http }) => http),
    );
  }
  return found.all;

  function tell(host: string, routes: Iterable<HttpRoute>): void {
    for (const route of routes) {
      for (const part of ignoredParts(route)) {
        const verb = clients === 1 ? part.one : part.many;
        // A rule of several matches, or of several ports, is said once.
        const key = `${host} ${route.source.origin} ${verb}`;
        if (said.has(key)) continue;
        said.add(key);
        const hint = "gRPC as its own data plane has no notion of it: give them a sidecar, or leave it out";
        found.warning("W2201", originOf(route.source.origin), `${host}: ${who} ${verb}`, hint);
      }
    }
  }
}

/**
 * Tokens that servers without a sidecar do not verify. What policies say of end
 * users then never holds there: gRPC takes every claim as absent.
 *
 * @param workloads ids of those that are their own data plane
 */
export function unverifiedByGrpc(
  mesh: Pick<Mesh, "workloads">,
  workloads: ReadonlySet<string>,
): readonly Diagnostic[] {
  const found = new Diagnostics();
  for (const id of [...workloads].sort()) {
    for (const { issuer, source } of mesh.workloads.get(id)?.jwtRules ?? []) {
      const message = `${id} has no sidecar and does not verify tokens${issuer ? ` of ${issuer}` : ""}`;
      found.warning("W2202", originOf(source.origin), message, "give it a sidecar");
    }
  }
  return found.all;
}

interface Part {
  readonly one: string;
  readonly many: string;
}

const ignore = (what: string): Part => ({ one: `ignores ${what}`, many: `ignore ${what}` });
const fail = (what: string): Part => ({ one: `fails calls to ${what}`, many: `fail calls to ${what}` });

function ignoredParts({ action, cors, headers, matches }: HttpRoute): Part[] {
  const parts: Part[] = [];
  if (matches.some(({ queryParams }) => queryParams.length > 0)) parts.push(ignore("this match of a query"));
  if (cors) parts.push(ignore("this CORS policy"));
  if (action.kind === "redirect") parts.push(fail("this redirect"));
  else if (action.kind === "direct-response") parts.push(fail("this direct response"));
  else {
    const { rewritePath, rewriteRegex, rewriteAuthority, pathEdit } = action;
    const isRewritten = [rewritePath, rewriteRegex, rewriteAuthority, pathEdit];
    if (isRewritten.some((part) => part !== undefined)) parts.push(ignore("this rewrite"));
    if (action.mirrors.length > 0) parts.push(ignore("this mirror"));
    if (action.destinations.some((destination) => hasEdits(destination.headers))) {
      parts.push(ignore("these changes of headers"));
      return parts;
    }
  }
  if (hasEdits(headers)) parts.push(ignore("these changes of headers"));
  return parts;
}

function hasEdits({ request, response }: HeaderEdits): boolean {
  return [request, response].some(({ set, add, remove }) => set.length + add.length + remove.length > 0);
}

/** From `file:line:column`. */
function originOf(text: string): Origin | undefined {
  const match = /^(.*):(\d+):(\d+)$/.exec(text);
  return match ? { file: match[1]!, line: Number(match[2]), column: Number(match[3]) } : undefined;
}
