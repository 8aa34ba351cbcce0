import type { MeshOptions } from "./mesh-options.ts";

/** The hostname of a service of the mesh. */
export function hostnameOf(
  name: string,
  namespace: string,
  options: Pick<MeshOptions, "domainSuffix">,
): string {
  return `${name}.${namespace}.svc.${options.domainSuffix}`;
}

/** The namespace of a service of the mesh, by its hostname or a wildcard for such; undefined outside of it. */
export function namespaceOf(
  host: string,
  { domainSuffix }: Pick<MeshOptions, "domainSuffix">,
): string | undefined {
  const end = `.svc.${domainSuffix}`;
  return host.endsWith(end) ? host.slice(0, -end.length).split(".").at(-1) : undefined;
}

/**
 * The hostname a name means in a resource of `namespace`. As in Istio only a
 * name without a dot is completed: `reviews.prod` stays what it is.
 */
export function resolveHost(
  host: string,
  namespace: string,
  options: Pick<MeshOptions, "domainSuffix">,
): string {
  return host.includes(".") || host === "*"
    ? host.toLowerCase()
    : hostnameOf(host.toLowerCase(), namespace, options);
}

/** Whether a pattern (`*`, `*.x`, or a hostname) covers a hostname or a narrower pattern. */
export function coversHost(pattern: string, hostname: string): boolean {
  if (pattern === hostname || pattern === "*") return true;
  return (
    pattern.startsWith("*.") && hostname.endsWith(pattern.slice(1)) && hostname.length > pattern.length - 1
  );
}

/** The narrower of two patterns where one covers the other: what both mean. Undefined where they share nothing. */
export function commonHost(a: string, b: string): string | undefined {
  if (coversHost(a, b)) return b;
  return coversHost(b, a) ? a : undefined;
}

/**
 * Whether the selector of a Service or ServiceEntry selects at all: as in
 * Kubernetes and Istio an empty one selects nothing, where that of a policy
 * selects everything.
 */
export function selectsWorkloads(
  selector: Readonly<Record<string, string>> | undefined,
): selector is Readonly<Record<string, string>> {
  return selector !== undefined && Object.keys(selector).length > 0;
}

export function hasLabels(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> | undefined,
): boolean {
  for (const name in wanted) if (labels[name] !== wanted[name]) return false;
  return true;
}
