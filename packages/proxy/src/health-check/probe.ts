/** What one check found. */
export type ProbeResult =
  | { readonly kind: "healthy"; readonly isDegraded: boolean }
  | {
      readonly kind: "failed";
      /** `active` is an answer that says so; one is enough unless it `isRetriable`. */
      readonly cause: "active" | "network";
      readonly isRetriable: boolean;
      /** The endpoint asks to be left out at once. */
      readonly isImmediate: boolean;
    };

/** Asks one endpoint; one check at a time. */
export interface Probe {
  /** Answers once, possibly before returning, unless `cancel` comes first. */
  check(): void;
  /** Ends a check without an answer, and its connection. */
  cancel(): void;
}
