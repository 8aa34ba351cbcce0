import type { DemoMesh } from "../mesh.ts";
import { workloads } from "../topology.ts";
import { type Outcome, outcome } from "./outcome.ts";
import { probe } from "./probe.ts";

/** Before any YAML: `weft stat` knows every service, and its counts are those of a program outside. */
export async function verifyGoldenSignals(mesh: DemoMesh): Promise<Outcome> {
  const name = "no YAML: golden signals of every service";
  const calls = 200;
  const before = await ratingsRequests(mesh);
  const sent = await probe(mesh, {
    from: "reviews-v2",
    service: "ratings",
    path: "/ratings/0",
    count: calls,
  });
  const services = [
    ...new Set(workloads.filter((workload) => workload.port).map((workload) => workload.service)),
  ];
  const deadline = Date.now() + 20_000;
  let seen = "";
  while (Date.now() < deadline) {
    const stat = await mesh.weft("stat", "-o", "json");
    if (stat.code !== 0) return outcome(name, false, stat.stderr.trim());
    const { rows } = await mesh.api.stats({ by: "service" });
    const missing = services.filter(
      (service) =>
        !rows.some(
          (row) => row.service === service && (row.requestsPerSecond ?? 0) > 0 && row.p99Ms !== undefined,
        ),
    );
    const counted = (await ratingsRequests(mesh)) - before;
    const secured = rows
      .filter((row) => services.includes(row.service))
      .every((row) => row.securedRate === 1);
    seen = `${services.length - missing.length} of ${services.length} services, all mutual TLS: ${secured}; ${sent.statuses[200] ?? 0} calls sent to ratings, ${counted} counted by its sidecar`;
    if (missing.length === 0 && secured && counted >= calls && sent.statuses[200] === calls)
      return outcome(name, true, seen);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return outcome(name, false, seen);
}

/** `istio_requests_total` of ratings as Prometheus would scrape it, in all. */
async function ratingsRequests(mesh: DemoMesh): Promise<number> {
  const text = await mesh.scrape("ratings-v1");
  let total = 0;
  for (const line of text.split("\n")) {
    if (line.startsWith("istio_requests_total{") && line.includes('reporter="destination"')) {
      total += Number(line.slice(line.lastIndexOf(" ") + 1));
    }
  }
  return total;
}

const targetMs = 200;

/**
 * How long a change took until the last proxy had acknowledged it. A figure, not
 * a verdict: a busy machine is slower, so only its absence is a failure.
 */
export async function verifyConvergence(mesh: DemoMesh): Promise<Outcome> {
  const { count, p50Ms, p99Ms } = (await mesh.api.status()).convergence;
  const verdict = p99Ms !== undefined && p99Ms < targetMs ? "met" : "NOT met";
  const seen = `${count} changes, p50 ${round(p50Ms)} ms, p99 ${round(p99Ms)} ms (target below ${targetMs} ms: ${verdict})`;
  return outcome("changes reach every proxy: time to the last acknowledgement", p99Ms !== undefined, seen);
}

function round(ms: number | undefined): string {
  return ms === undefined ? "–" : ms.toFixed(ms < 10 ? 1 : 0);
}
