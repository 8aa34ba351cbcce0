import { isIPv6 } from "node:net";
import type { ServiceSpec } from "../config/service-specs.ts";
import { canonicalIp } from "../config/values.ts";
import { virtualIpv6 } from "./virtual-address.ts";

export type IpFamily = "IPv4" | "IPv6";

const both: readonly IpFamily[] = ["IPv4", "IPv6"];

/**
 * The families that a Service has addresses of, the preferred one first. As
 * Kubernetes has it where the Service says anything of them; one that says
 * nothing, which Kubernetes leaves to the cluster, has both.
 */
export function familiesOf(
  spec: Pick<ServiceSpec, "clusterIPs" | "clusterIP" | "ipFamilies" | "ipFamilyPolicy">,
) {
  const written = spec.ipFamilies?.length ? (spec.ipFamilies as readonly IpFamily[]) : undefined;
  const said = written ?? givenAddresses(spec).map(familyOf);
  const [first = "IPv4"] = said;
  switch (spec.ipFamilyPolicy) {
    case "SingleStack":
      return [first];
    case "PreferDualStack":
    case "RequireDualStack":
      return first === "IPv4" ? both : both.toReversed();
    default:
      return said.length > 0 ? said : both;
  }
}

/** The addresses that Kubernetes gave a Service, in their short form. */
export function givenAddresses({
  clusterIP,
  clusterIPs,
}: Pick<ServiceSpec, "clusterIP" | "clusterIPs">): string[] {
  const given = clusterIPs?.length ? clusterIPs : clusterIP ? [clusterIP] : [];
  return given[0] === "None" ? [] : given.map(canonicalIp);
}

/**
 * Where a Service is called: at the addresses that Kubernetes gave it, which
 * callers may have from its DNS, and in a family that it has none of, at the
 * mesh's own.
 */
export function serviceAddresses(spec: ServiceSpec, virtual: string | undefined): string[] {
  const given = givenAddresses(spec);
  return familiesOf(spec).flatMap(
    (family) => given.find((address) => familyOf(address) === family) ?? ownAddress(virtual, family) ?? [],
  );
}

/** The mesh's own addresses of a host, in both families. @param virtual the IPv4 one */
export function ownAddresses(virtual: string | undefined): string[] {
  return both.flatMap((family) => ownAddress(virtual, family) ?? []);
}

function ownAddress(virtual: string | undefined, family: IpFamily): string | undefined {
  if (virtual === undefined) return undefined;
  return family === "IPv4" ? virtual : virtualIpv6(virtual);
}

export function familyOf(address: string): IpFamily {
  return isIPv6(address) ? "IPv6" : "IPv4";
}
