let hasFailed = false;

/**
 * What `work` returns, or undefined where it throws: the application goes on
 * without the context. The first failure of a process is told, on standard error.
 */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!hasFailed) {
      hasFailed = true;
      process.stderr.write(`weft: trace context is not forwarded everywhere: ${String(error)}\n`);
    }
    return undefined;
  }
}
