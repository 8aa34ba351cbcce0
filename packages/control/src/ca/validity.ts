import { UserError } from "@weft/base/errors";
import { backdateMs, type Validity } from "@weft/identity/profiles";

/** How long certificates live. */
export interface ValidityPolicy {
  /** For a request that says nothing, and the most that any request gets. */
  readonly ttlMs: number;
}

const minTtlMs = 20_000;
const maxTtlMs = 90 * 86_400_000;
/** A request for less gets this: shorter certificates would expire on their way. */
const shortestMs = 60_000;

export const defaultTtlMs = 86_400_000;

/** @throws UserError */
export function validityPolicy(ttlMs: number = defaultTtlMs): ValidityPolicy {
  if (ttlMs >= minTtlMs && ttlMs <= maxTtlMs) return { ttlMs };
  throw new UserError(`--certificate-ttl of ${Math.round(ttlMs / 1000)} s is out of range`, {
    hint: `choose from ${minTtlMs / 1000} s to ${maxTtlMs / 86_400_000} days`,
  });
}

/**
 * When a certificate begins and ends, or undefined when what was asked for is
 * no duration. 0 asks for the default, as Istio's agents do; what is too long or too
 * short is brought into range, so that agents of any configuration get along.
 */
export function decideValidity(
  requestedSeconds: number,
  policy: ValidityPolicy,
  nowMs: number,
): Validity | undefined {
  if (!Number.isSafeInteger(requestedSeconds) || requestedSeconds < 0) return undefined;
  const requestedMs = requestedSeconds === 0 ? policy.ttlMs : requestedSeconds * 1000;
  const ttlMs = Math.min(Math.max(requestedMs, shortestMs), policy.ttlMs);
  // Half of a life that began long before its issuance would be over at once.
  return { notBeforeMs: nowMs - Math.min(backdateMs, ttlMs / 2), notAfterMs: nowMs + ttlMs };
}
