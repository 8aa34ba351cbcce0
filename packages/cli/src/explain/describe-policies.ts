import type { FaultPlan, FractionPlan } from "@weft/proxy/filters/fault-plan";
import type { CallLimits } from "@weft/proxy/route/call-limits";
import { type RetryPlan, retryOnNames } from "@weft/proxy/route/retry-plan";
import type { Outcome } from "./explanation.ts";

/** `250ms`, `1.5s`; `none` for 0. */
export function formatMs(ms: number): string {
  if (ms === 0) return "none";
  return ms < 1000 ? `${ms}ms` : `${Math.round(ms) / 1000}s`;
}

/** Percent of a configured share. */
export function percentOf({ numerator, denominator }: FractionPlan): number {
  return (numerator * 100) / denominator;
}

/** A share of 0 to 1 in percent, without what rounding adds. */
export function asPercent(share: number): number {
  return Math.round(share * 1e6) / 1e4;
}

/** The faults that are fixed in the configuration; those that requests ask for by header are not among them. */
export function faultOutcome({ delay, abort }: FaultPlan): NonNullable<Outcome["fault"]> {
  return {
    ...(delay?.kind === "fixed" && { delayMs: delay.delayMs, delayPercent: percentOf(delay.share) }),
    ...(abort?.kind === "http" && { abortStatus: abort.status, abortPercent: percentOf(abort.share) }),
    ...(abort?.kind === "grpc" && { abortPercent: percentOf(abort.share) }),
  };
}

export function faultText({ delay, abort }: FaultPlan): string {
  const parts: string[] = [];
  if (delay?.kind === "fixed")
    parts.push(`${percentOf(delay.share)} % wait ${formatMs(delay.delayMs)} longer`);
  if (abort?.kind === "http") parts.push(`${percentOf(abort.share)} % are answered ${abort.status}`);
  if (abort?.kind === "grpc")
    parts.push(`${percentOf(abort.share)} % are answered with gRPC status ${abort.grpcStatus}`);
  return parts.join(", ") || "as requests ask for by header";
}

export function retryText(retry: RetryPlan): string {
  const times = retry.numRetries === 1 ? "once more" : `up to ${retry.numRetries} times more`;
  const per = retry.perTryTimeoutMs > 0 ? `, ${formatMs(retry.perTryTimeoutMs)} each` : "";
  return `${times}${per}, on ${retryOnNames(retry.on).join(", ")}`;
}

export function retryOutcome(retry: RetryPlan, limits: CallLimits): NonNullable<Outcome["retries"]> {
  return {
    attempts: retry.numRetries,
    perTryTimeoutMs: limits.perTryTimeoutMs,
    on: retryOnNames(retry.on),
  };
}
