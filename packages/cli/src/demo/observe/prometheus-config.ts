import { join } from "node:path";

/** What of the configuration that people are given is another for a short run. */
export interface PrometheusPlace {
  /** `http://HOST:PORT` of the control plane's metrics. */
  readonly controlPlane: string;
  /** Folder of the rules. */
  readonly rules: string;
  readonly intervalSeconds: number;
}

const localControlPlane = "http://127.0.0.1:15014";

/** `prometheus.yml` as it is published, for a mesh elsewhere, and quicker. */
export function prometheusConfig(published: string, place: PrometheusPlace): string {
  if (!published.includes(localControlPlane)) throw new Error(`prometheus.yml has no ${localControlPlane}`);
  return published
    .replaceAll(localControlPlane, place.controlPlane)
    .replace(/(scrape|evaluation|refresh)_interval: \d+s/g, `$1_interval: ${place.intervalSeconds}s`)
    .replace(/^rule_files: .*$/m, (line) => line.replace(/[\w-]+\.yml/g, (name) => join(place.rules, name)));
}
