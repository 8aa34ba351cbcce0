import type { HttpStats } from "../listener/downstream-stats.ts";
import type { HttpConnectionPlan } from "../listener/listener-plan.ts";
import { httpDate } from "./http-date.ts";
import type { ResponseHead } from "./message.ts";

/** Adds what every response says about the server that sends it: `date`, `server`, `via`. */
export function completeHead({ headers }: ResponseHead, plan: HttpConnectionPlan, nowMs: number): void {
  if (!headers.has("date")) headers.append("date", httpDate(nowMs));
  if (plan.serverHeaderTransformation === "overwrite") headers.set("server", plan.serverName);
  else if (plan.serverHeaderTransformation === "append-if-absent" && !headers.has("server")) {
    headers.append("server", plan.serverName);
  }
  if (plan.via !== "") headers.append("via", plan.via);
}

/** Counts one completed response. */
export function countResponse(stats: HttpStats, status: number, durationMs: number): void {
  stats.rqCompleted.value += 1;
  if (status < 200) stats.rq1xx.value += 1;
  else if (status < 300) stats.rq2xx.value += 1;
  else if (status < 400) stats.rq3xx.value += 1;
  else if (status < 500) stats.rq4xx.value += 1;
  else stats.rq5xx.value += 1;
  stats.rqTimeMs.observe(durationMs);
}
