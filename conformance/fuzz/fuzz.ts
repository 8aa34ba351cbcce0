import fc from "fast-check";
import { mutated } from "./mutation.ts";
import type { FuzzTarget } from "./target.ts";

/** A single small input that takes more of a processor than this is an attack. */
const patienceMs = 2_000;

/**
 * Gives a target mutated seeds for so many seconds, the seeds themselves first;
 * how many inputs there were. @throws with the smallest input that breaks it,
 * the seed of the run and how to repeat it.
 */
export function fuzz(target: FuzzTarget, seconds: number, seed: number): number {
  const { name, seeds, tokens } = target;
  let inputs = 0;
  const check = (input: Buffer, cuts: readonly number[]) => {
    inputs += 1;
    const before = process.cpuUsage();
    target.check(input, cuts);
    const { user, system } = process.cpuUsage(before);
    const tookMs = (user + system) / 1_000;
    if (tookMs > patienceMs) throw new Error(`${name}: ${input.length} bytes took ${Math.round(tookMs)} ms`);
  };
  for (const one of seeds) {
    check(one, []);
    check(one, one.length < 512 ? [...one.keys()] : [1, one.length >> 1, one.length - 1]);
  }
  fc.assert(fc.property(mutated(seeds, tokens), fc.array(fc.nat(1 << 16), { maxLength: 8 }), check), {
    seed,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: seconds * 1_000,
    markInterruptAsFailure: false,
  });
  return inputs;
}
