import type { GatewayAddressSpec } from "../../config/gateway-api-specs.ts";
import type { Mesh, MeshWorkload } from "../mesh.ts";
import { type Condition, condition } from "./route-status.ts";

export interface GatewayAddress {
  readonly type: "IPAddress" | "Hostname";
  readonly value: string;
}

/** Whether an address is of a kind that a gateway here could have. */
export function isKnownAddress({ type = "IPAddress" }: GatewayAddressSpec): boolean {
  return type === "IPAddress" || type === "Hostname";
}

/** The addresses that a Gateway has, and what became of those it asks for. */
export interface AssignedAddresses {
  readonly addresses: readonly GatewayAddress[];
  /** Why it is not programmed as it asks to be; undefined where it is. */
  readonly problem:
    | { readonly reason: "AddressNotUsable" | "AddressNotAssigned"; readonly message: string }
    | undefined;
  readonly conditions: readonly Condition[];
}

/**
 * A gateway listens where it runs. An IP address that is asked for must be one of
 * a proxy's own, a host name that of a service of the mesh; without any it has
 * those of its proxies.
 */
export function assignedAddresses(
  asked: readonly GatewayAddressSpec[],
  proxies: readonly Pick<MeshWorkload, "addresses">[],
  { services }: Pick<Mesh, "services">,
): AssignedAddresses {
  const own = [...new Set(proxies.flatMap(({ addresses }) => addresses))].sort();
  const all = own.map((value): GatewayAddress => ({ type: "IPAddress", value }));
  const known = asked.filter(isKnownAddress);
  if (known.length === 0) return { addresses: all, problem: undefined, conditions: [] };
  const listened = new Set(proxies.flatMap(({ addresses }) => addresses.map(canonical)));
  const found = known.map(({ type = "IPAddress", value = "" }): readonly GatewayAddress[] => {
    if (type === "Hostname") {
      const isServed = proxies.length > 0 && services.has(value.toLowerCase());
      return isServed ? [{ type, value: value.toLowerCase() }] : [];
    }
    if (value === "") return all;
    return listened.has(canonical(value)) ? [{ type: "IPAddress", value }] : [];
  });
  const lost = known.filter((_, i) => found[i]!.length === 0);
  const addresses = [...new Map(found.flat().map((one) => [one.value, one])).values()];
  return { addresses, problem: problemOf(lost), conditions: [assignment(lost.length, known.length)] };
}

function problemOf(lost: readonly GatewayAddressSpec[]): AssignedAddresses["problem"] {
  const unusable = lost.flatMap(({ value }) => value || []);
  if (unusable.length > 0) {
    const message = `no proxy of this Gateway has ${unusable.join(", ")}: run one there, or ask for another address`;
    return { reason: "AddressNotUsable", message };
  }
  if (lost.length === 0) return undefined;
  const message = "an address without a value is that of a proxy: a Hostname needs the name of a service";
  return { reason: "AddressNotAssigned", message };
}

function assignment(lost: number, of: number): Condition {
  const type = "AddressesAssigned";
  if (lost === 0) return condition(type, true, type, "it has all addresses that it asks for");
  const reason = lost === of ? "NotAssigned" : "PartiallyAssigned";
  return condition(type, false, reason, `${lost} of ${of} addresses are not to be had`);
}

/** IPv6 addresses are written in many ways. */
function canonical(address: string): string {
  if (!address.includes(":")) return address;
  return URL.canParse(`http://[${address}]`) ? new URL(`http://[${address}]`).hostname : address;
}
