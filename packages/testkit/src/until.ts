/** What may be said of a wait. */
export interface Patience {
  /** How long it may take. Long beyond need: what a busy machine takes is not what is tested. */
  readonly seconds?: number;
  /** Between one look and the next. */
  readonly everyMs?: number;
  /** Put into the error when it was in vain: what the processes said, or what was last seen. */
  readonly said?: () => string;
}

/**
 * Resolves once `check` is true. A check that throws or rejects ends the wait with its error.
 *
 * @throws Error that names what was waited for, when its time is over.
 */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  patience: Patience = {},
): Promise<void> {
  await untilFound(what, async () => (await check()) || undefined, patience);
}

/**
 * The first answer of `ask` that is not undefined. As {@link until}.
 *
 * @throws Error that names what was waited for, when its time is over.
 */
export async function untilFound<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  { seconds = 60, everyMs = 20, said = () => "" }: Patience = {},
): Promise<T> {
  const endMs = performance.now() + seconds * 1_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what}\n${said()}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
