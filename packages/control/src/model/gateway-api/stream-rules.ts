import type { ResourceOf } from "../../config/resource.ts";
import { provenanceOf } from "../provenance.ts";
import type { Destination, TcpRoute, TlsRoute } from "../routing.ts";
import { type BackendLookup, type RefProblem, resolveBackend } from "./backend-refs.ts";
import { anyCaller, type CompiledRules } from "./http-rules.ts";

/** Where connections go that have nowhere to go: they are closed. */
const nowhere: Destination = { host: "no-backend.invalid", subset: "", port: undefined, weight: 1 };

export function tcpRules(resource: ResourceOf<"TCPRoute">, backends: BackendLookup): CompiledRules<TcpRoute> {
  const problems: RefProblem[] = [];
  const routes = resource.spec.rules.map((_, i) => ({
    matches: [],
    destinations: destinationsOf(resource, i, backends, problems),
    source: provenanceOf(resource, `spec.rules[${i}]`),
  }));
  return { routes, problems };
}

/** By the client's server name, which must be one of the route's. */
export function tlsRules(resource: ResourceOf<"TLSRoute">, backends: BackendLookup): CompiledRules<TlsRoute> {
  const problems: RefProblem[] = [];
  const sniHosts = resource.spec.hostnames.map((name) => name.toLowerCase());
  const routes = resource.spec.rules.map((_, i) => ({
    matches: [{ sniHosts, port: undefined, source: anyCaller }],
    destinations: destinationsOf(resource, i, backends, problems),
    source: provenanceOf(resource, `spec.rules[${i}]`),
  }));
  return { routes, problems };
}

function destinationsOf(
  resource: ResourceOf<"TCPRoute" | "TLSRoute">,
  rule: number,
  backends: BackendLookup,
  problems: RefProblem[],
): Destination[] {
  const destinations = resource.spec.rules[rule]!.backendRefs.map((ref, i) => {
    const found = resolveBackend(ref, `spec.rules[${rule}].backendRefs[${i}]`, resource, backends);
    if (found.problem) problems.push(found.problem);
    return found.destination;
  });
  return destinations.some(({ weight }) => weight > 0) ? destinations : [nowhere];
}
