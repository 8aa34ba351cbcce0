import type { Finding } from "./finding.ts";
import { isDnsLabel } from "./values.ts";

/** The annotation by which a Service says what other kinds say in `spec.exportTo`. */
export const exportToAnnotation = "networking.istio.io/exportTo";

/** @param pathOf where the entry of this index was written */
export function checkExportTo(
  exportTo: readonly string[] | undefined,
  pathOf: (index: number) => string,
  namespace: string,
  find: Finding,
): void {
  const seen = new Set<string>();
  exportTo?.forEach((name, i) => {
    const path = pathOf(i);
    if (!["*", ".", "~"].includes(name) && !isDnsLabel(name)) {
      const hint = 'write "." for its own namespace, "*" for all, "~" for none, or a namespace';
      find.error("W1213", path, `exportTo: "${name}" is not a namespace`, hint);
    }
    if ((name === "*" || name === "~") && exportTo.length > 1) {
      const who = name === "*" ? "every namespace" : "no namespace";
      find.error("W1106", path, `exportTo: "${name}" is ${who}, and there are others beside it`, "keep one");
    }
    const key = name === "." ? namespace : name;
    if (seen.has(key)) find.error("W1210", path, `exportTo names ${key} twice`, "remove one of them");
    seen.add(key);
  });
}
