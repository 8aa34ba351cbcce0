import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";

/** What memory is read from, so that tests decide. */
export interface MemoryReadings {
  residentBytes(): number;
  /** What the control group allows; 0 where nothing does. */
  readonly allowedBytes: number;
  heap(): { readonly usedBytes: number; readonly limitBytes: number };
}

/** Of this process. */
export function processMemory(): MemoryReadings {
  const constrained = process.constrainedMemory();
  return {
    residentBytes: () => process.memoryUsage.rss(),
    allowedBytes: constrained < totalmem() ? constrained : 0,
    heap() {
      const { used_heap_size: usedBytes, heap_size_limit: limitBytes } = getHeapStatistics();
      return { usedBytes, limitBytes };
    },
  };
}

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
