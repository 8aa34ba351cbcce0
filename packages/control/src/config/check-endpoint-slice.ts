import { BlockList, isIP } from "node:net";
import type {
  EndpointAddressSpec,
  EndpointSliceSpec,
  EndpointsSpec,
  SlicePortSpec,
} from "./endpoint-specs.ts";
import type { Finding } from "./finding.ts";
import { isDnsLabel } from "./values.ts";

/** What the API server of Kubernetes takes for no endpoint's address. */
const special = new BlockList();
for (const [network, prefix] of [
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["224.0.0.0", 24],
] as const) {
  special.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
  ["fe80::", 10],
  ["ff02::", 16],
] as const) {
  special.addSubnet(network, prefix, "ipv6");
}
special.addAddress("0.0.0.0", "ipv4");
special.addAddress("::", "ipv6");
special.addAddress("::1", "ipv6");

export function checkEndpointSlice(spec: EndpointSliceSpec, find: Finding): void {
  const { addressType } = spec;
  const family = addressType === "IPv4" ? 4 : 6;
  spec.endpoints?.forEach(({ addresses, hostname }, i) => {
    const path = `endpoints[${i}]`;
    checkHostname(hostname, path, find);
    if (addressType === "FQDN") return;
    addresses.forEach((address, j) => {
      const at = `${path}.addresses[${j}]`;
      if (isIP(address) === family) checkAddress(address, at, find);
      else find.error("W1204", at, `${at}: "${address}" is not an ${addressType} address`);
    });
  });
  checkPorts(spec.ports ?? [], "ports", find);
}

/** Whatever the `Endpoints` say, they say of IP addresses. */
export function checkEndpoints(spec: EndpointsSpec, find: Finding): void {
  spec.subsets?.forEach(({ addresses, notReadyAddresses, ports }, i) => {
    const path = `subsets[${i}]`;
    if (!addresses?.length && !notReadyAddresses?.length) {
      find.error("W1104", path, `${path} has neither addresses nor notReadyAddresses`);
    }
    checkAddresses(addresses ?? [], `${path}.addresses`, find);
    checkAddresses(notReadyAddresses ?? [], `${path}.notReadyAddresses`, find);
    checkPorts(ports ?? [], `${path}.ports`, find);
    ports?.forEach(({ name }, j) => {
      if (name || ports.length === 1) return;
      const at = `${path}.ports[${j}]`;
      find.error("W1104", at, `${at}.name is missing`, "name each port when there are several");
    });
  });
}

function checkAddresses(addresses: readonly EndpointAddressSpec[], path: string, find: Finding): void {
  addresses.forEach(({ ip, hostname }, i) => {
    const at = `${path}[${i}]`;
    checkHostname(hostname, at, find);
    if (isIP(ip) !== 0) checkAddress(ip, `${at}.ip`, find);
    else find.error("W1204", `${at}.ip`, `${at}.ip: "${ip}" is not an IP address`);
  });
}

function checkAddress(address: string, path: string, find: Finding): void {
  if (!special.check(address, isIP(address) === 4 ? "ipv4" : "ipv6")) return;
  const message = `${path}: ${address} is another machine to each that connects there`;
  find.error("W1204", path, message, "name the address by which all reach the endpoint");
}

function checkHostname(hostname: string | undefined, path: string, find: Finding): void {
  if (hostname === undefined || hostname === "" || isDnsLabel(hostname)) return;
  const at = `${path}.hostname`;
  find.error("W1203", at, `${at}: "${hostname}" is not a single part of a DNS name`);
}

function checkPorts(ports: readonly SlicePortSpec[], path: string, find: Finding): void {
  const seen = new Map<string, number>();
  ports.forEach(({ name = "", port }, i) => {
    const at = `${path}[${i}]`;
    find.port(`${at}.port`, port ?? undefined);
    if (name !== "" && !isDnsLabel(name)) {
      find.error("W1203", `${at}.name`, `${at}.name: "${name}" is not the name of a port`);
    }
    const first = seen.get(name);
    if (first !== undefined) {
      const message = `port ${name === "" ? "without a name" : name} is written twice`;
      find.error("W1210", at, message, `the first is ${path}[${first}]`);
    }
    seen.set(name, first ?? i);
  });
}
