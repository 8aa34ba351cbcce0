import type { Clock, Timer } from "@weft/base/clock";

export interface Lifetime {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** How far around its half-life a certificate is renewed, as a share of its life, to either side. */
const jitter = 0.1;
/** A sleeping machine stops its timers but not its certificates: the wall clock is looked at this often. */
const lookMs = 15_000;

/**
 * How long to wait before renewing: until half of the certificate's life, give
 * or take a tenth, so that workloads started together do not renew together.
 * 0 when that moment has passed.
 */
export function renewAfterMs(life: Lifetime, nowMs: number, random: () => number = Math.random): number {
  const lifeMs = life.notAfterMs - life.notBeforeMs;
  const share = 0.5 + (random() * 2 - 1) * jitter;
  return Math.max(0, Math.round(life.notBeforeMs + lifeMs * share - nowMs));
}

/**
 * Runs once when the wall clock reaches `atMs`, within seconds even when the
 * machine slept past it or its clock was set.
 */
export function runAtWallTime(clock: Clock, atMs: number, run: () => void): Timer {
  let timer: Timer | undefined;
  const look = () => {
    const leftMs = atMs - clock.now();
    if (leftMs <= 0) run();
    else timer = clock.setTimer(look, Math.min(leftMs, lookMs));
  };
  timer = clock.setTimer(look, Math.min(Math.max(atMs - clock.now(), 0), lookMs));
  return { cancel: () => timer?.cancel() };
}
