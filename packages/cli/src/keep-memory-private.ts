import { messageOf } from "@weft/base/errors";
import { libcFunction } from "@weft/proxy/net/libc";

/** PR_SET_DUMPABLE of prctl(2). */
const setDumpable = 4;

/**
 * Keeps what is in this process's memory, keys among it, in memory: the kernel
 * writes no core file of it, whatever the limits and core_pattern say, and lets no
 * process of the same user read it (ptrace, /proc/PID/mem) unless that may trace
 * all. Programs that this process starts are as they would be without. Says so
 * where it cannot be had, and is nothing but a word on other systems than Linux.
 *
 * @see prctl(2), PR_SET_DUMPABLE
 */
export function keepMemoryPrivate(): void {
  if (process.platform !== "linux") return;
  // Where Node was started without --disable-sigusr1, a listener takes the signal from its debugger.
  process.on("SIGUSR1", () => {});
  try {
    const prctl = libcFunction(
      "int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)",
    );
    const call = prctl as unknown as (...args: readonly number[]) => number;
    if (call(setDumpable, 0, 0, 0, 0) !== 0) throw new Error("prctl failed");
  } catch (error) {
    process.stderr.write(
      `weft: a core file of this process would hold its keys (ulimit -c 0): ${messageOf(error)}\n`,
    );
  }
}
