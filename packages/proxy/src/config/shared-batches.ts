import type { ExportBatch } from "../telemetry/export-batch.ts";
import type { DecodeContext } from "./decode-context.ts";

const all = new WeakMap<DecodeContext["services"], Map<string, unknown>>();

/**
 * One queue for all that is configured alike, whichever listeners it is of: a
 * sidecar has a listener for each service, and a collector one connection.
 * `identity` is what tells destinations apart.
 */
export function sharedBatch<T>(
  { services }: Pick<DecodeContext, "services">,
  identity: unknown,
  make: () => ExportBatch<T>,
): ExportBatch<T> {
  let known = all.get(services);
  if (!known) {
    known = new Map();
    all.set(services, known);
  }
  const key = JSON.stringify(identity, (_, value) => (typeof value === "bigint" ? String(value) : value));
  const before = known.get(key) as ExportBatch<T> | undefined;
  if (before) return before;
  const batch = make();
  known.set(key, batch);
  return batch;
}
