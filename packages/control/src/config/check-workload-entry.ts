import { isIP } from "node:net";
import type { Finding } from "./finding.ts";
import type { WorkloadEntrySpec } from "./service-specs.ts";

export function checkWorkloadEntry(spec: WorkloadEntrySpec, find: Finding): void {
  checkPlace(spec, "spec", find, { needsIp: false });
}

/** What holds for a place wherever it is written: its address, ports and locality. */
export function checkPlace(
  place: WorkloadEntrySpec,
  path: string,
  find: Finding,
  { needsIp }: { readonly needsIp: boolean },
): void {
  const { address } = place;
  if (address === undefined || address === "") {
    find.error("W1104", path, `${path}.address is missing`);
    return;
  }
  if (needsIp && isIP(address) === 0) {
    const message = `${path}.address: "${address}" is not an IP address`;
    find.error("W1204", `${path}.address`, message, "or use resolution: DNS");
  } else if (isIP(address) === 0) {
    find.host(`${path}.address`, address);
    if (address.startsWith("*")) {
      find.error("W1211", `${path}.address`, `"${address}" cannot be resolved by DNS`, "name one host");
    }
  }
  for (const [name, port] of Object.entries(place.ports ?? {})) find.port(`${path}.ports.${name}`, port);
  find.locality(`${path}.locality`, place.locality);
}
