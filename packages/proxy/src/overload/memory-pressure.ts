import { totalmem } from "node:os";
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";
import { isMainThread, resourceLimits } from "node:worker_threads";

/** What memory is read from, so that tests decide. */
export interface MemoryReadings {
  residentBytes(): number;
  /** What the control group allows; 0 where nothing does. */
  readonly allowedBytes: number;
  /** Of what has survived: the young generation empties itself. */
  heap(): { readonly usedBytes: number; readonly limitBytes: number };
}

/** Of this thread's heap and of this process. */
export function processMemory(): MemoryReadings {
  const constrained = process.constrainedMemory();
  const flags = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/\s+/)];
  const { maxOldGenerationSizeMb } = resourceLimits;
  return {
    residentBytes: () => process.memoryUsage.rss(),
    allowedBytes: constrained < totalmem() ? constrained : 0,
    heap() {
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      let young = 0;
      for (const { space_name, space_used_size } of getHeapSpaceStatistics()) {
        if (space_name.startsWith("new_")) young += space_used_size;
      }
      const limitBytes = isMainThread ? oldGenerationLimit(limit, flags) : maxOldGenerationSizeMb! * mib;
      return { usedBytes: used - young, limitBytes };
    },
  };
}

/**
 * V8 ends a process whose heap is nearly full when collecting took most of the
 * time lately, as if no memory came of it; on a machine that gives it little CPU
 * that is said of any process. The overload actions begin before the limit and
 * make room: from now on only a heap with no room left ends the process.
 */
export function endOnlyWithoutRoom(): void {
  setFlagsFromString("--no-detect-ineffective-gcs-near-heap-limit");
}

/**
 * How much of a heap's limit what has survived may fill: the rest is the young
 * generation's, three semi-spaces, and of no use to it. Where flags say neither,
 * a semi-space is V8's usual 64th.
 */
export function oldGenerationLimit(heapLimitBytes: number, flags: readonly string[]): number {
  const ofFlag = (name: string) => {
    const given = flags.findLast((flag) => flag.replaceAll("_", "-").startsWith(`--${name}=`));
    return given === undefined ? undefined : Number(given.slice(given.indexOf("=") + 1)) * mib;
  };
  const old = ofFlag("max-old-space-size");
  if (old) return Math.min(old, heapLimitBytes);
  const semi = ofFlag("max-semi-space-size");
  return semi ? Math.max(heapLimitBytes - 3 * semi, heapLimitBytes / 2) : (heapLimitBytes * 64) / 67;
}

const mib = 1024 * 1024;

/**
 * How near the end of memory is, 1 being the end. With `maxHeapBytes` that is
 * what is resident of it (Envoy's `fixed_heap`). Without, whatever comes first:
 * the control group's limit, at which the kernel kills, or the heap's, at which
 * the runtime gives up.
 */
export function memoryPressure(memory: MemoryReadings, maxHeapBytes: number | undefined): number {
  if (maxHeapBytes !== undefined) return memory.residentBytes() / maxHeapBytes;
  const { usedBytes, limitBytes } = memory.heap();
  const ofGroup = memory.allowedBytes > 0 ? memory.residentBytes() / memory.allowedBytes : 0;
  return Math.max(usedBytes / limitBytes, ofGroup);
}
