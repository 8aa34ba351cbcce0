import { constants } from "node:os";
import { messageOf } from "@weft/base/errors";
import { libcFunction } from "@weft/proxy/net/libc";

/** PR_SET_DUMPABLE of prctl(2). */
const setDumpable = 4;
/** SIG_UNBLOCK of sigprocmask(2). */
const unblock = 1;
/** Of a sigset_t, with room to spare: glibc's has 128, musl's too. */
const signalSetBytes = 128;

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
    hearSigusr1();
  } catch (error) {
    process.stderr.write(`weft: SIGUSR1 is not heard here: ${messageOf(error)}\n`);
  }
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

/**
 * Node blocks SIGUSR1 as it starts, and with `--disable-sigusr1` for good: no
 * listener would hear it, though it asks a proxy to open its logs anew, and an
 * agent hands it on. There must be a listener before and ever after.
 */
function hearSigusr1(): void {
  const signals = Buffer.alloc(signalSetBytes);
  const bit = constants.signals.SIGUSR1 - 1;
  // A set is an array of longs, the lowest signals first: on the little-endian machines that Weft runs on, of bytes.
  signals[bit >> 3] = 1 << (bit & 7);
  const mask = libcFunction("int pthread_sigmask(int how, const void *set, void *old)");
  const call = mask as unknown as (how: number, set: Buffer, old: null) => number;
  if (call(unblock, signals, null) !== 0) throw new Error("pthread_sigmask failed");
}
