import { isIPv6 } from "node:net";
import type { Finding } from "./finding.ts";
import type { ServiceSpec } from "./service-specs.ts";
import { isPlainIp } from "./values.ts";

const policies = ["SingleStack", "PreferDualStack", "RequireDualStack"];
const families = ["IPv4", "IPv6"];

/** What the API server of Kubernetes refuses of a Service's addresses and families. */
export function checkClusterIps(spec: ServiceSpec, find: Finding): void {
  if (spec.type === "ExternalName") return;
  const { clusterIP = "", clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  if (clusterIP !== "None" && clusterIP !== "") checkAddress("spec.clusterIP", clusterIP, find);
  checkAddresses(clusterIP, clusterIPs, find);
  ipFamilies.forEach((family, i) => {
    find.word(`spec.ipFamilies[${i}]`, family, families);
    const first = ipFamilies.indexOf(family);
    if (first !== i) {
      const hint = `the first is spec.ipFamilies[${first}]`;
      find.error("W1210", `spec.ipFamilies[${i}]`, `${family} is written twice`, hint);
    }
  });
  if (ipFamilyPolicy !== undefined) find.word("spec.ipFamilyPolicy", ipFamilyPolicy, policies);
  if (ipFamilyPolicy === "SingleStack" && Math.max(ipFamilies.length, clusterIPs.length) > 1) {
    const message = "a Service of two families is none of ipFamilyPolicy: SingleStack";
    find.error("W1106", "spec.ipFamilyPolicy", message, "write PreferDualStack, or keep one of the families");
  }
  const given = clusterIPs.length > 0 ? clusterIPs : [clusterIP];
  given.forEach((address, i) => {
    const family = ipFamilies[i];
    if (family === undefined || !isPlainIp(address) || family === familyName(address)) return;
    const at = clusterIPs.length > 0 ? `spec.clusterIPs[${i}]` : "spec.clusterIP";
    find.error("W1106", at, `${address} is no ${family} address`, `spec.ipFamilies[${i}] says ${family}`);
  });
}

function checkAddresses(clusterIP: string, clusterIPs: readonly string[], find: Finding): void {
  const [first] = clusterIPs;
  if (first === undefined) return;
  if (first !== clusterIP) {
    const message = `spec.clusterIPs begins with ${first}, and spec.clusterIP is ${clusterIP || "not there"}`;
    find.error("W1106", "spec.clusterIPs", message, "the first of clusterIPs is clusterIP: write both alike");
  }
  if (first === "None") {
    if (clusterIPs.length === 1) return;
    const message = "a headless Service has no further clusterIPs";
    find.error("W1106", "spec.clusterIPs[1]", message, "keep None alone");
    return;
  }
  clusterIPs.forEach((address, i) => {
    checkAddress(`spec.clusterIPs[${i}]`, address, find);
  });
  if (clusterIPs.length === 1) return;
  if (clusterIPs.length > 2 || familyName(clusterIPs[1]!) === familyName(first)) {
    const message = "spec.clusterIPs may name one address in each family";
    find.error("W1106", "spec.clusterIPs", message, "keep one IPv4 and one IPv6 address");
  }
}

function checkAddress(path: string, address: string, find: Finding): void {
  if (isPlainIp(address)) return;
  find.error("W1204", path, `${path}: "${address}" is not an IP address`, "write for example 10.96.0.10");
}

function familyName(address: string): string {
  return isIPv6(address) ? "IPv6" : "IPv4";
}
