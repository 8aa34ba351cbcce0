/**
 * `npm run fuzz [-- --seconds N] [--seed N] [target …]`: every reader of bytes
 * from the network, for N seconds together (60 without a word). Each target has
 * a process of its own, so that one that hangs or grows is found out.
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";
import { fuzzTargets } from "./targets.ts";

/** More than this after the first half of a run is a leak. */
const growthBytes = 64 << 20;

const { values, positionals } = parseArgs({
  options: { seconds: { type: "string" }, seed: { type: "string" }, inside: { type: "boolean" } },
  allowPositionals: true,
});
const seconds = Number(values.seconds ?? 60);
const seed = Number(values.seed ?? Date.now() % 0x7fffffff);
const chosen = fuzzTargets.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
if (chosen.length === 0 || !(seconds > 0) || !Number.isSafeInteger(seed)) {
  console.error(`fuzz: the targets are ${fuzzTargets.map(({ name }) => name).join(", ")}`);
  process.exit(1);
}

if (values.inside) {
  for (const target of chosen) {
    let inputs = fuzz(target, seconds / 2, seed);
    const before = heapBytes();
    inputs += fuzz(target, seconds / 2, seed + 1);
    const grownBytes = heapBytes() - before;
    if (grownBytes > growthBytes) throw new Error(`${target.name}: the heap grew by ${grownBytes} bytes`);
    console.log(
      `${target.name}: ${inputs} inputs, heap ${grownBytes >= 0 ? "+" : ""}${grownBytes >> 10} KiB`,
    );
  }
} else {
  console.log(`fuzz: seed ${seed}`);
  const each = seconds / chosen.length;
  const failed = chosen.filter(({ name }) => {
    const args = [
      "--expose-gc",
      import.meta.filename,
      "--inside",
      "--seconds",
      `${each}`,
      "--seed",
      `${seed}`,
      name,
    ];
    const { status, signal } = spawnSync(process.execPath, args, {
      stdio: "inherit",
      timeout: each * 1_000 + 60_000,
    });
    if (signal) console.log(`${name}: hangs, or was killed (${signal})`);
    return status !== 0;
  });
  process.exit(failed.length === 0 ? 0 : 1);
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}
