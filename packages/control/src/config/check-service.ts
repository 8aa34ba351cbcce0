import { checkClusterIps } from "./check-cluster-ips.ts";
import { checkExportTo, exportToAnnotation } from "./check-export-to.ts";
import type { CheckedMetadata, Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";
import type { ServiceSpec } from "./service-specs.ts";
import { parseNameList } from "./values.ts";

export function checkService(spec: ServiceSpec, find: Finding, metadata: CheckedMetadata): void {
  const exportTo = parseNameList(metadata.annotations[exportToAnnotation]);
  const path = joinPath("metadata.annotations", exportToAnnotation);
  checkExportTo(exportTo, () => path, metadata.namespace, find);
  checkExternalName(spec, find);
  checkClusterIps(spec, find);
  const seen = new Map<string | number, number>();
  const ports = spec.ports ?? [];
  ports.forEach((port, i) => {
    const path = `spec.ports[${i}]`;
    if (ports.length > 1 && !port.name) {
      find.error("W1104", path, `${path}.name is missing`, "name each port when there are several");
    }
    if (typeof port.targetPort === "number") find.port(`${path}.targetPort`, port.targetPort);
    const keys = [port.name, `${port.port}/${port.protocol ?? "TCP"}`].filter((key) => key !== undefined);
    for (const key of keys) {
      const first = seen.get(key);
      if (first !== undefined) {
        find.error("W1210", path, `port ${key} is written twice`, `the first is spec.ports[${first}]`);
      }
      seen.set(key, first ?? i);
    }
  });
}

/** As Kubernetes has it; what it leaves without effect is said. */
function checkExternalName(spec: ServiceSpec, find: Finding): void {
  const { type, externalName, selector } = spec;
  if (type !== "ExternalName") {
    if (!externalName) return;
    const message = `spec.externalName means nothing for type ${type ?? "ClusterIP"}`;
    find.warning("W1106", "spec.externalName", message, "write type: ExternalName, or remove it");
    return;
  }
  if (!externalName) {
    find.error(
      "W1104",
      "spec.type",
      "spec.externalName is missing",
      "write the name that the service has elsewhere",
    );
    return;
  }
  find.host("spec.externalName", externalName.replace(/\.$/, ""));
  if (externalName.startsWith("*")) {
    find.error("W1203", "spec.externalName", `spec.externalName: "${externalName}" is no single name`);
  }
  const unusable = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] as const;
  for (const field of unusable.filter((name) => spec[name]?.length)) {
    find.error("W1106", `spec.${field}`, `an external name has no ${field}`, "remove it");
  }
  if (selector) {
    const message = "an external name selects nothing: spec.selector is not used";
    find.warning("W1106", "spec.selector", message, "remove it, or write type: ClusterIP");
  }
}
