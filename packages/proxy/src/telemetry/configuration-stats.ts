import { getFips, X509Certificate } from "node:crypto";
import type { EnvoyStats } from "./envoy-stats.ts";

export interface ConfigurationView {
  /** `server.state`, in Envoy's numbers. */
  state(): "LIVE" | "DRAINING" | "PRE_INITIALIZING" | "INITIALIZING";
  readonly epoch: number;
  readonly runtimeLayers: number;
  /** Values of all layers together. */
  readonly runtimeKeys: number;
  activeListeners(): number;
  /** Accepted, and waiting for what they need. */
  warmingListeners(): number;
  /** PEM of all certificates in use, those that verify others among them. */
  certificates(): Iterable<string>;
  now(): number;
}

const states = { LIVE: 0, DRAINING: 1, PRE_INITIALIZING: 2, INITIALIZING: 3 } as const;
/** What Envoy says where there is no certificate. */
const never = 4_294_967_295;
const dayMs = 86_400_000;

/** Envoy's statistics of what is in force, read when somebody asks. */
export function tellConfiguration(stats: EnvoyStats, view: ConfigurationView): void {
  const state = stats.gauge("server.state");
  stats.gauge("server.hot_restart_epoch").set(view.epoch);
  stats.gauge("server.hot_restart_generation").set(view.epoch + 1);
  stats.gauge("server.compilation_settings.fips_mode").set(getFips());
  stats.gauge("listener_manager.workers_started").set(1);
  // Fields that are not known are refused, in files and from a management server alike.
  stats.counter("server.static_unknown_fields");
  stats.counter("server.dynamic_unknown_fields");
  stats.gauge("runtime.num_layers").set(view.runtimeLayers);
  stats.gauge("runtime.num_keys").set(view.runtimeKeys);
  stats.counter("runtime.load_success").add();
  stats.counter("runtime.load_error");
  const days = stats.gauge("server.days_until_first_cert_expiring");
  const active = stats.gauge("listener_manager.total_listeners_active");
  const warming = stats.gauge("listener_manager.total_listeners_warming");
  /** When each certificate ends, by its PEM: reading one costs more than asking for it. */
  let known = new Map<string, number>();
  stats.registry.onCollect(() => {
    state.set(states[view.state()]);
    active.set(view.activeListeners());
    warming.set(view.warmingListeners());
    const seen = new Map<string, number>();
    for (const pem of view.certificates()) seen.set(pem, known.get(pem) ?? endOf(pem));
    known = seen;
    const firstMs = Math.min(...seen.values());
    days.set(Number.isFinite(firstMs) ? Math.max(0, Math.floor((firstMs - view.now()) / dayMs)) : never);
  });
}

/** When the first of these certificates is valid no longer; infinity for what is no certificate. */
function endOf(pem: string): number {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return Math.min(
    ...blocks.map((block) => {
      try {
        return Date.parse(new X509Certificate(block).validTo);
      } catch {
        return Number.POSITIVE_INFINITY;
      }
    }),
  );
}
