import type { Finding } from "./finding.ts";
import type { ServiceSpec } from "./specs.ts";

export function checkService(spec: ServiceSpec, find: Finding): void {
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
