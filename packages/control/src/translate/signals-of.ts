import { mergeSignals } from "../model/merge-signals.ts";
import type { MeshDefaults, MeshOptions } from "../model/mesh-options.ts";
import { destinationOf, type SideSignals, type Signals, type TelemetryProvider } from "../model/signals.ts";
import type { SeenMesh } from "../model/view.ts";
import type { ReportingFeatures } from "./client-features.ts";

const ofMesh = new WeakMap<MeshDefaults, Signals>();

/** What holds where no Telemetry says anything. */
function meshSignals({ defaults }: MeshOptions): Signals {
  let signals = ofMesh.get(defaults);
  if (!signals) {
    signals = mergeSignals([], defaults);
    ofMesh.set(defaults, signals);
  }
  return signals;
}

/** What one side of a proxy tells. */
export function signalsOf(
  { signals }: ReportingFeatures,
  options: MeshOptions,
  direction: "inbound" | "outbound",
): SideSignals {
  return (signals ?? meshSignals(options))[direction];
}

/**
 * The features with what the workload's proxy is to tell, as far as it gets to
 * see whom: a listener that names a cluster that is not there would be refused.
 */
export function withSignals<F extends ReportingFeatures>(
  features: F,
  signals: Signals | undefined,
  { services, options }: Pick<SeenMesh, "services" | "options">,
): F {
  const wanted = signals ?? meshSignals(options);
  const isThere = (provider: TelemetryProvider) => {
    const place = destinationOf(provider);
    return !place || services.get(place.host)?.ports.some(({ number }) => number === place.port) === true;
  };
  const missing = [wanted.outbound, wanted.inbound]
    .flatMap(({ accessLogs, tracing }) => [...accessLogs.map(({ provider }) => provider), tracing?.provider])
    .flatMap((provider) => (provider && !isThere(provider) ? [destinationOf(provider)!] : []));
  if (missing.length === 0) return signals ? { ...features, signals } : features;
  const seen = (side: SideSignals): SideSignals => ({
    ...side,
    accessLogs: side.accessLogs.filter(({ provider }) => isThere(provider)),
    tracing: side.tracing && isThere(side.tracing.provider) ? side.tracing : undefined,
  });
  const without = [...new Set(missing.map(({ host, port }) => `${host}:${port}`))].sort().join();
  const left = {
    key: `${wanted.key} without ${without}`,
    outbound: seen(wanted.outbound),
    inbound: seen(wanted.inbound),
  };
  return { ...features, signals: left };
}
