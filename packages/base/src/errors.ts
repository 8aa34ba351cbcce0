/** Which side of a proxied call, or which part of Weft, an error comes from. */
export type ErrorSource = "downstream" | "upstream" | "internal" | "config";

/**
 * An error that knows what the edge needs to answer it: where it came from and
 * whether trying again is safe. Thrown where the meaning is known, logged once
 * where it is handled.
 */
export class MeshError extends Error {
  override readonly name = "MeshError";
  readonly source: ErrorSource;
  /** True only when the failed call provably had no effect. */
  readonly isRetrySafe: boolean;

  constructor(message: string, options: { source: ErrorSource; isRetrySafe?: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.source = options.source;
    this.isRetrySafe = options.isRetrySafe ?? false;
  }
}

/**
 * An error for a person at a terminal: what went wrong, and the next step.
 * Commands print it without a stack and exit with `exitCode`.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: { hint?: string; exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** The message of anything thrown, for wrapping into a larger sentence. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
