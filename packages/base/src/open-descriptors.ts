import { readFileSync, statSync } from "node:fs";

/**
 * How many files and sockets this process has open, in some 10 µs whatever
 * their number; undefined where the kernel does not tell without listing them
 * (before Linux 6.2, and elsewhere).
 */
export function countOpenDescriptors(): number | undefined {
  try {
    return statSync("/proc/self/fd").size || undefined;
  } catch {
    return undefined;
  }
}

/** The soft limit on open files, or Infinity where it cannot be read. */
export function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
