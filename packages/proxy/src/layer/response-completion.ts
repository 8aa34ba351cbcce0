import type { AnswerClasses } from "../listener/downstream-stats.ts";
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
export function countResponse({ completed, classes }: AnswerClasses, status: number): void {
  completed.value += 1;
  const digit = Math.floor(status / 100);
  classes[digit < 1 ? 0 : digit > 5 ? 4 : digit - 1]!.value += 1;
}
