import { gapOf, type JaegerTrace, readTraces, workloadsOf } from "../observe/jaeger-traces.ts";
import type { Observers } from "../observe/observers.ts";
import { findWorkload } from "../topology.ts";
import { type Outcome, outcome } from "./outcome.ts";

const path = ["traffic", "productpage", "reviews", "ratings"] as const;
/** Spans leave their proxies every few seconds: what is younger may be on its way. */
const settledMs = 12_000;
const enough = 20;

/** Jaeger has whole traces of the reader's visits, from one sidecar to the next through every application. */
export async function verifyTraces(observers: Observers): Promise<Outcome> {
  const name = "Jaeger has whole traces across the services, client and server";
  const beginMs = Date.now();
  let seen = "";
  // What is asked for next is then what was sent since; the mesh was changing before.
  while (Date.now() < beginMs + 60_000) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const traces = await readTraces(observers.jaegerUrl, "productpage-v1.default", 500);
    const settled = traces.filter((trace) => {
      const startMs = startOf(trace);
      return startMs >= beginMs && startMs < Date.now() - settledMs;
    });
    const across = settled.filter((trace) => {
      const services = new Set([...workloadsOf(trace)].map((name) => findWorkload(name).service));
      return path.every((service) => services.has(service));
    });
    const gaps = settled.flatMap((trace) => gapOf(trace) ?? []);
    const spans = across.reduce((sum, trace) => sum + trace.spans.length, 0);
    const lost = gaps.length > 0 ? `; ${gaps.length} lack something, the first ${gaps[0]}` : "";
    seen = `${settled.length} traces, ${across.length} of ${path.join(" → ")} with ${spans} spans${lost}`;
    if (across.length >= enough) return outcome(name, gaps.length === 0, seen);
  }
  return outcome(name, false, seen);
}

function startOf({ spans }: JaegerTrace): number {
  return Math.min(...spans.map(({ startTime }) => startTime)) / 1_000;
}
