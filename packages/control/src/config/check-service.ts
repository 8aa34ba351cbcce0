import { checkExportTo, exportToAnnotation } from "./check-export-to.ts";
import type { CheckedMetadata, Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";
import type { ServiceSpec } from "./specs.ts";
import { parseNameList } from "./values.ts";

export function checkService(spec: ServiceSpec, find: Finding, metadata: CheckedMetadata): void {
  const exportTo = parseNameList(metadata.annotations[exportToAnnotation]);
  const path = joinPath("metadata.annotations", exportToAnnotation);
  checkExportTo(exportTo, () => path, metadata.namespace, find);
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
