import { checkExportTo } from "./check-export-to.ts";
import { checkPlace } from "./check-workload-entry.ts";
import type { CheckedMetadata, Finding } from "./finding.ts";
import type { ServiceEntrySpec } from "./service-specs.ts";

/** What `ports[].protocol` may say. */
export const portProtocols = [
  "HTTP",
  "HTTP2",
  "GRPC",
  "GRPC-WEB",
  "HTTPS",
  "TLS",
  "TCP",
  "MONGO",
  "MYSQL",
  "REDIS",
];

export function checkServiceEntry(spec: ServiceEntrySpec, find: Finding, metadata: CheckedMetadata): void {
  checkExportTo(spec.exportTo, (i) => `spec.exportTo[${i}]`, metadata.namespace, find);
  spec.hosts.forEach((host, i) => {
    find.host(`spec.hosts[${i}]`, host);
    if (host === "*")
      find.error("W1203", `spec.hosts[${i}]`, 'spec.hosts: "*" alone would name every host', "name a domain");
    if (host.startsWith("*") && spec.resolution?.startsWith("DNS") && !spec.endpoints?.length) {
      find.error(
        "W1211",
        `spec.hosts[${i}]`,
        `"${host}" cannot be resolved by DNS`,
        "use resolution: NONE, or add endpoints",
      );
    }
  });
  const resolution = spec.resolution ?? "NONE";
  if (spec.endpoints && spec.workloadSelector) {
    find.error(
      "W1106",
      "spec.endpoints",
      "spec sets endpoints and workloadSelector at once",
      "keep one of them",
    );
  }
  if (resolution === "NONE" && spec.endpoints) {
    find.error(
      "W1106",
      "spec.endpoints",
      "resolution NONE takes no endpoints",
      "use STATIC for addresses, DNS for names",
    );
  }
  if (resolution === "STATIC" && !spec.endpoints?.length && !spec.workloadSelector) {
    find.error("W1104", "spec", "resolution STATIC needs endpoints", "add endpoints or a workloadSelector");
  }
  if (resolution === "DNS_ROUND_ROBIN" && (spec.workloadSelector || (spec.endpoints?.length ?? 0) > 1)) {
    const path = spec.workloadSelector ? "spec.workloadSelector" : "spec.endpoints";
    find.error("W1106", path, "resolution DNS_ROUND_ROBIN takes a single endpoint", "use resolution: DNS");
  }
  if (!spec.ports?.length)
    find.error("W1104", "spec", "spec.ports is missing", "name the ports that are called");
  const seen = new Map<string | number, string>();
  spec.ports?.forEach((port, i) => {
    const path = `spec.ports[${i}]`;
    find.port(`${path}.number`, port.number);
    find.port(`${path}.targetPort`, port.targetPort);
    find.word(`${path}.protocol`, (port.protocol ?? "TCP").toUpperCase(), portProtocols);
    for (const [field, value] of [
      ["number", port.number],
      ["name", port.name],
    ] as const) {
      const first = seen.get(value);
      if (first)
        find.error(
          "W1210",
          `${path}.${field}`,
          `port ${field} ${value} is written twice`,
          `the first is ${first}`,
        );
      seen.set(value, first ?? path);
    }
  });
  spec.addresses?.forEach((address, i) => {
    find.cidr(`spec.addresses[${i}]`, address);
  });
  spec.endpoints?.forEach((endpoint, i) => {
    const path = `spec.endpoints[${i}]`;
    checkPlace(endpoint, path, find, { needsIp: resolution === "STATIC" });
    for (const name of Object.keys(endpoint.ports ?? {})) {
      if (spec.ports?.some((p) => p.name === name)) continue;
      find.error("W1211", `${path}.ports.${name}`, `spec.ports has no port named "${name}"`);
    }
  });
}
