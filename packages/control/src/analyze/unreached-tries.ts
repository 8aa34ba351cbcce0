import { parseDurationMs } from "../config/values.ts";
import type { Analyzer } from "./analyzer.ts";

/** W2423: each try may take as long as the whole call, so that a slow one is never tried again. */
export const findUnreachedTries: Analyzer = ({ resources }, diagnostics) => {
  for (const { spec, origins } of resources.VirtualService) {
    spec.http?.forEach(({ timeout, retries }, i) => {
      const wholeMs = timeout === undefined ? 0 : (parseDurationMs(timeout) ?? 0);
      const tryMs = retries?.perTryTimeout === undefined ? 0 : (parseDurationMs(retries.perTryTimeout) ?? 0);
      if (wholeMs === 0 || tryMs < wholeMs) return;
      const message = `perTryTimeout ${retries!.perTryTimeout} is not shorter than timeout ${timeout}: a slow try is never tried again`;
      const at = origins.at(`spec.http[${i}].retries.perTryTimeout`);
      diagnostics.warning("W2423", at, message, "make it a part of the timeout");
    });
  }
};
