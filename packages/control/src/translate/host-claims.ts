import type { MeshOptions } from "../model/mesh-options.ts";
import type { Service } from "../model/service.ts";
import type { Caller } from "./caller.ts";
import { hostLiteral } from "./messages.ts";

/** Who is called by which domains on one port: each domain means the first that claims it. */
export interface HostClaims {
  readonly services: readonly Service[];
  /** Of each service; none where all of its names are others'. */
  readonly domains: readonly (readonly string[])[];
  readonly taken: ReadonlySet<string>;
  readonly namespace: string;
  readonly options: MeshOptions;
}

/**
 * Every service has its own hostname, whatever others call themselves; shorter
 * names and addresses are given to the first. Kept from `last` where services
 * are called as they were: of thousands none is looked at again because one is
 * routed otherwise.
 */
export function hostClaims(
  services: readonly Service[],
  port: number,
  { namespace }: Caller,
  options: MeshOptions,
  last: HostClaims | undefined,
): HostClaims {
  if (last?.namespace === namespace && last.options === options) {
    if (last.services === services) return last;
    const areAlike = services.length === last.services.length;
    if (areAlike && services.every((service, i) => isCalledAlike(service, last.services[i]!))) {
      return { ...last, services };
    }
  }
  const taken = new Set<string>();
  const own = services.map(({ hostname }) => claimed([hostname], port, taken));
  const domains = services.map((service, i) => {
    const names = otherNames(service, namespace, options);
    return [...own[i]!, ...claimed([...names, ...instanceNames(service, names)], port, taken)];
  });
  return { services, domains, taken, namespace, options };
}

/** Those of these names that nobody has yet, and that are taken from now on; with and without the port. */
export function claimed(names: readonly string[], port: number, taken: Set<string>): string[] {
  return names
    .flatMap((name) => [name, `${name}:${port}`])
    .filter((domain) => !taken.has(domain) && taken.add(domain));
}

/** What else callers write for a service: shorter names within reach, and its addresses. */
function otherNames(service: Service, namespace: string, options: MeshOptions): string[] {
  const names = namesOf(service, { namespace }, options).filter((name) => name !== service.hostname);
  return [...names, ...service.addresses.map(hostLiteral)];
}

/** As in Istio, where callers choose the instance, they may name it below any name of the service. */
function instanceNames({ hostname, isHeadless }: Service, otherNames: readonly string[]): string[] {
  return isHeadless ? [hostname, ...otherNames].map((name) => `*.${name}`) : [];
}

/** Every spelling of a service's name that means it to this caller. */
export function namesOf(service: Service, caller: Pick<Caller, "namespace">, options: MeshOptions): string[] {
  const { name, namespace, hostname } = service;
  if (hostname !== `${name}.${namespace}.svc.${options.domainSuffix}`) return [hostname];
  const short = namespace === caller.namespace ? [name] : [];
  return [...short, `${name}.${namespace}`, `${name}.${namespace}.svc`, hostname];
}

/** Whether both are called by the same names and addresses. */
export function isCalledAlike(a: Service, b: Service): boolean {
  if (a === b) return true;
  return (
    a.hostname === b.hostname &&
    a.name === b.name &&
    a.namespace === b.namespace &&
    a.isHeadless === b.isHeadless &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((address, i) => address === b.addresses[i])
  );
}
