import type { BootstrapPlan } from "../config/bootstrap.ts";

/**
 * Envoy's `/runtime`: every key with its value in each layer and the one in
 * force, the last that is not empty.
 */
export function runtimeView({ message }: BootstrapPlan): unknown {
  const layers = (message.layeredRuntime?.layers ?? []).map(({ name, layerSpecifier }) => {
    const values = new Map<string, string>();
    if (layerSpecifier.case === "staticLayer") flatten("", layerSpecifier.value, values);
    return { name, values };
  });
  const keys = new Set(layers.flatMap(({ values }) => [...values.keys()]));
  const entries = [...keys].sort().map((key) => {
    const inLayers = layers.map(({ values }) => values.get(key) ?? "");
    return [key, { final_value: inLayers.findLast((value) => value !== "") ?? "", layer_values: inLayers }];
  });
  return { layers: layers.map(({ name }) => name), entries: Object.fromEntries(entries) };
}

/** Nested keys are joined by dots. */
function flatten(prefix: string, value: unknown, into: Map<string, string>): void {
  if (typeof value !== "object" || value === null) {
    into.set(prefix, `${value}`);
    return;
  }
  for (const [key, inner] of Object.entries(value))
    flatten(prefix === "" ? key : `${prefix}.${key}`, inner, into);
}
