import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "@weft/base/clock";
import type { Caller } from "../api/caller.ts";

const codeTtlMs = 120_000;
const sessionTtlMs = 12 * 3_600_000;
const maxCodes = 64;
const maxSessions = 64;

/** Who asked for the address. */
export type Opener = Pick<Caller, "name">;

interface Opened {
  readonly opener: Opener;
  /** In monotonic time. */
  readonly untilMs: number;
}

/**
 * Who may look: a code works once and for two minutes, and becomes a session of
 * twelve hours. Only hashes are kept, so that looking one up takes the same time
 * whatever was guessed; the oldest go when there are too many.
 */
export class DashboardSessions {
  readonly #clock: Clock;
  readonly #codes = new Map<string, Opened>();
  readonly #sessions = new Map<string, Opened>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  createCode(opener: Opener): { readonly code: string; readonly ttlMs: number } {
    return { code: this.#create(this.#codes, maxCodes, opener, codeTtlMs), ttlMs: codeTtlMs };
  }

  /** The session for a code; undefined when it is unknown, used or too old. */
  redeem(code: string): { readonly session: string; readonly ttlMs: number } | undefined {
    const key = hashOf(code);
    const opened = this.#codes.get(key);
    this.#codes.delete(key);
    if (opened === undefined || opened.untilMs < this.#clock.monotonicMs()) return undefined;
    return {
      session: this.#create(this.#sessions, maxSessions, opened.opener, sessionTtlMs),
      ttlMs: sessionTtlMs,
    };
  }

  /** Who opened it; undefined when it is unknown or too old. */
  openerOf(session: string): Opener | undefined {
    const key = hashOf(session);
    const opened = this.#sessions.get(key);
    if (opened === undefined) return undefined;
    if (opened.untilMs >= this.#clock.monotonicMs()) return opened.opener;
    this.#sessions.delete(key);
    return undefined;
  }

  #create(kept: Map<string, Opened>, max: number, opener: Opener, ttlMs: number): string {
    const secret = randomBytes(24).toString("base64url");
    kept.set(hashOf(secret), { opener, untilMs: this.#clock.monotonicMs() + ttlMs });
    if (kept.size > max) kept.delete(kept.keys().next().value!);
    return secret;
  }
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}
