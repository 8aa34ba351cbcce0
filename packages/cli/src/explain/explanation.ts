/** What one part of the way decides about a call. */
export interface Step {
  /** Whose proxy: a workload's id. */
  readonly at: string;
  /** What decides: `listener`, `route`, `fault`, `cluster`, `authorization` … */
  readonly step: string;
  /** What was chosen. */
  readonly chosen: string;
  /** More about it, for people. */
  readonly detail?: string;
  /** Where it was written: `file:line:column`. Absent where nothing was, and a default holds. */
  readonly origin?: string;
  /** What else there was, and why it was not that. */
  readonly lost?: readonly Lost[];
}

export interface Lost {
  readonly what: string;
  readonly why: string;
  readonly origin?: string;
}

/** What becomes of a call. */
export interface Outcome {
  /**
   * `forwarded` to a destination, `answered` on the way without one, `denied` by a policy,
   * `refused` before a request was looked at, `undecided` where somebody outside decides.
   */
  readonly result: "forwarded" | "answered" | "denied" | "refused" | "undecided";
  /** In one sentence. */
  readonly summary: string;
  /** Of an answer that is not the destination's. */
  readonly status?: number;
  /** Envoy's short names, as access logs have them. */
  readonly flags?: string;
  /** Envoy's response code details. */
  readonly details?: string;
  readonly location?: string;
  readonly body?: string;
  /** Of the route that decided. */
  readonly route?: { readonly name: string; readonly origin?: string };
  /** The policy that denied. */
  readonly policy?: { readonly name: string; readonly origin?: string };
  readonly destinations: readonly DestinationOutcome[];
  /** 0 is without end. Absent where nothing is sent on. */
  readonly timeoutMs?: number;
  readonly retries?: {
    readonly attempts: number;
    readonly perTryTimeoutMs: number;
    readonly on: readonly string[];
  };
  readonly fault?: {
    readonly delayMs?: number;
    readonly delayPercent?: number;
    readonly abortStatus?: number;
    readonly abortPercent?: number;
  };
  readonly mirrors?: readonly { readonly cluster: string; readonly percent: number }[];
  /** The request as the destination sees it. */
  readonly sent?: {
    readonly authority: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
  };
  /** Fields that are added to the answer. */
  readonly answerHeaders?: Readonly<Record<string, string>>;
}

/** One of the places a call may go to. */
export interface DestinationOutcome {
  readonly cluster: string;
  readonly service: string;
  readonly subset: string;
  readonly port: number;
  /** Of all such calls, 0 to 100. */
  readonly percent: number;
  readonly endpoints: number;
  readonly workloads: readonly string[];
  /** How the hop is secured. */
  readonly tls: "mutual" | "tls" | "none";
  /** Why calls do not arrive there; absent where they do. */
  readonly problem?: Problem;
}

export interface Problem {
  readonly status: number;
  readonly flags: string;
  readonly details: string;
  readonly why: string;
  readonly policy?: { readonly name: string; readonly origin?: string };
}

export interface Explanation {
  readonly request: { readonly method: string; readonly url: string };
  readonly caller: { readonly workload: string; readonly identity: string };
  readonly steps: readonly Step[];
  readonly outcome: Outcome;
}
