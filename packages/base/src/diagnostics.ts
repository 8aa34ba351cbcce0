import { formatOrigin, type Origin } from "./origin.ts";

export type Severity = "error" | "warning" | "info";

/** One finding about a piece of input: what is wrong, where, and what to do next. */
export interface Diagnostic {
  /** Stable code, e.g. `W2103`, or Istio's `IST0101` where it means the same. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  /** The next step for whoever wrote the input. */
  readonly hint?: string;
  readonly origin?: Origin;
  /** The other place of a conflict between two. */
  readonly other?: Origin;
}

/**
 * Collects findings instead of stopping at the first, so that one run names
 * everything wrong with an input.
 */
export class Diagnostics {
  readonly #found: Diagnostic[] = [];

  error(code: string, origin: Origin | undefined, message: string, hint?: string): void {
    this.#found.push({ code, severity: "error", message, hint, origin });
  }

  /** An error between two places, of which `origin` is the one to change. */
  conflict(code: string, origin: Origin, other: Origin, message: string, hint: string): void {
    this.#found.push({ code, severity: "error", message, hint, origin, other });
  }

  warning(code: string, origin: Origin | undefined, message: string, hint?: string): void {
    this.#found.push({ code, severity: "warning", message, hint, origin });
  }

  info(code: string, origin: Origin | undefined, message: string, hint?: string): void {
    this.#found.push({ code, severity: "info", message, hint, origin });
  }

  add(diagnostics: Iterable<Diagnostic>): void {
    for (const diagnostic of diagnostics) this.#found.push(diagnostic);
  }

  get all(): readonly Diagnostic[] {
    return this.#found;
  }

  get hasErrors(): boolean {
    return this.#found.some((d) => d.severity === "error");
  }
}

/** Something with all that there is to say about how it was made. */
export interface Told<T> {
  readonly made: T;
  readonly said: readonly Diagnostic[];
}

export function told<T>(make: (diagnostics: Diagnostics) => T): Told<T> {
  const diagnostics = new Diagnostics();
  return { made: make(diagnostics), said: diagnostics.all };
}

/** One line for a terminal: `file:line:column: error W2103: message (hint; the other is at file:line:column)`. */
export function formatDiagnostic(d: Diagnostic): string {
  const place = d.origin ? `${formatOrigin(d.origin)}: ` : "";
  const next = [d.hint, d.other && `the other is at ${formatOrigin(d.other)}`].filter(Boolean).join("; ");
  const hint = next ? ` (${next})` : "";
  return `${place}${d.severity} ${d.code}: ${d.message}${hint}`;
}
