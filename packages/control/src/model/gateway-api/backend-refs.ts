import type { BackendRefSpec } from "../../config/gateway-api-specs.ts";
import type { ResourceOf } from "../../config/resource.ts";
import { hostnameOf } from "../host.ts";
import type { Mesh } from "../mesh.ts";
import type { Destination } from "../routing.ts";
import { isReferenceGranted } from "./reference-grants.ts";

/** Where references are looked up. */
export interface BackendLookup extends Pick<Mesh, "options"> {
  readonly services: Pick<Mesh["services"], "get">;
  /**
   * Where given, a reference into another namespace needs one of these: for
   * parents that expose what was not to be reached. A route of a service leads
   * its callers only to where they could have called themselves.
   */
  readonly grants?: readonly ResourceOf<"ReferenceGrant">[];
}

/** A reference that leads nowhere, by the reasons of the Gateway API's condition `ResolvedRefs`. */
export interface RefProblem {
  readonly reason: "BackendNotFound" | "InvalidKind" | "RefNotPermitted" | "UnsupportedProtocol";
  readonly message: string;
  /** Of the reference in its resource, e.g. `spec.rules[0].backendRefs[1]`. */
  readonly path: string;
}

/**
 * The destination a reference means: a Service, or with Istio's kind `Hostname`
 * a host by its name. One that does not exist is a destination all the same: it
 * keeps its share of the calls, and they fail.
 */
export function resolveBackend(
  ref: BackendRefSpec,
  path: string,
  route: { readonly kind: string; readonly namespace: string },
  { services, options, grants }: BackendLookup,
): { readonly destination: Destination; readonly problem: RefProblem | undefined } {
  const { group = "", kind = "Service", name, port, weight = 1 } = ref;
  const isHostname = group === "networking.istio.io" && kind === "Hostname";
  if (!isHostname && (group !== "" || kind !== "Service")) {
    const message = `${kind}${group && ` (${group})`} is no kind of backend: write a Service, or Istio's Hostname`;
    const destination = { host: `${name}.${kind.toLowerCase()}.invalid`, subset: "", port, weight };
    return { destination, problem: { reason: "InvalidKind", message, path } };
  }
  const to = ref.namespace ?? route.namespace;
  const from = { group: "gateway.networking.k8s.io", kind: route.kind, namespace: route.namespace };
  if (grants && !isReferenceGranted({ from, to: { group, kind, namespace: to, name } }, grants)) {
    const message = `no ReferenceGrant of ${to} lets ${from.kind}s of ${from.namespace} refer to ${kind} ${name}`;
    // One that exists must not be reached by accident.
    const destination = { host: `${name}.${to}.not-granted.invalid`, subset: "", port, weight };
    return { destination, problem: { reason: "RefNotPermitted", message, path } };
  }
  const host = isHostname ? name.toLowerCase() : hostnameOf(name, to, options);
  const destination = { host, subset: "", port, weight };
  const service = services.get(host);
  const missing = !service
    ? `service ${host} is not known`
    : port !== undefined && !service.ports.some(({ number }) => number === port)
      ? `${host} has no port ${port}`
      : undefined;
  if (missing === undefined) return { destination, problem: undefined };
  return { destination, problem: { reason: "BackendNotFound", message: missing, path } };
}
