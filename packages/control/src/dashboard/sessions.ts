import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "@weft/base/clock";

const codeTtlMs = 120_000;
const sessionTtlMs = 12 * 3_600_000;
const maxCodes = 64;
const maxSessions = 64;

/**
 * Who may look: a code works once and for two minutes, and becomes a session of
 * twelve hours. Only hashes are kept, so that looking one up takes the same time
 * whatever was guessed; the oldest go when there are too many.
 */
export class DashboardSessions {
  readonly #clock: Clock;
  /** Until when, in monotonic time. */
  readonly #codes = new Map<string, number>();
  readonly #sessions = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  createCode(): { readonly code: string; readonly ttlMs: number } {
    return { code: this.#create(this.#codes, maxCodes, codeTtlMs), ttlMs: codeTtlMs };
  }

  /** The session for a code; undefined when it is unknown, used or too old. */
  redeem(code: string): { readonly session: string; readonly ttlMs: number } | undefined {
    const key = hashOf(code);
    const untilMs = this.#codes.get(key);
    this.#codes.delete(key);
    if (untilMs === undefined || untilMs < this.#clock.monotonicMs()) return undefined;
    return { session: this.#create(this.#sessions, maxSessions, sessionTtlMs), ttlMs: sessionTtlMs };
  }

  isValid(session: string): boolean {
    const key = hashOf(session);
    const untilMs = this.#sessions.get(key);
    if (untilMs === undefined) return false;
    if (untilMs >= this.#clock.monotonicMs()) return true;
    this.#sessions.delete(key);
    return false;
  }

  #create(kept: Map<string, number>, max: number, ttlMs: number): string {
    const secret = randomBytes(24).toString("base64url");
    kept.set(hashOf(secret), this.#clock.monotonicMs() + ttlMs);
    if (kept.size > max) kept.delete(kept.keys().next().value!);
    return secret;
  }
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}
