import type { Explanation, Outcome } from "../explain/explanation.ts";

/** One call, and what it must come to. Its fields are those of the YAML, see docs/test-your-mesh.md. */
export interface MeshTest {
  readonly name?: string;
  readonly from: string;
  readonly to: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect: Outcome["result"] | Expectation;
}

/** What is not named may be anything. */
export interface Expectation {
  readonly result?: Outcome["result"];
  /** All of them, in any order. */
  readonly destinations?: readonly ExpectedDestination[];
  readonly status?: number;
  /** Envoy's response code details. */
  readonly details?: string;
  readonly flags?: string;
  /** Name of the route. */
  readonly route?: string;
  /** `namespace/name` of the policy that denies. */
  readonly policy?: string;
  readonly location?: string;
  readonly body?: string;
  /** A duration, or `none`. */
  readonly timeout?: string;
  readonly retries?: number | ExpectedRetries;
  readonly fault?: "none" | ExpectedFault;
  /** Host as in `destinations`, and percent of the requests that are copied. */
  readonly mirrors?: Readonly<Record<string, number>>;
  /** As the destination sees it. */
  readonly host?: string;
  readonly path?: string;
  /** Of the request as the destination sees it; null: not there. */
  readonly headers?: Readonly<Record<string, string | null>>;
  /** Added to the answer. */
  readonly responseHeaders?: Readonly<Record<string, string>>;
  /** Of the hop to every destination. */
  readonly tls?: "mutual" | "tls" | "none";
}

export interface ExpectedDestination {
  /** Short or full. */
  readonly host: string;
  readonly subset?: string;
  readonly port?: number;
  /** Default 100. */
  readonly percent?: number;
}

export interface ExpectedRetries {
  readonly attempts?: number;
  readonly perTryTimeout?: string;
  readonly on?: readonly string[];
}

export interface ExpectedFault {
  readonly delay?: string;
  readonly delayPercent?: number;
  readonly abort?: number;
  readonly abortPercent?: number;
}

/** Asks about a call, as `weft explain` does. */
export type Ask = (call: Omit<MeshTest, "name" | "expect">) => Promise<Explanation>;

/** A test in TypeScript that judges for itself: it throws where something is not as it must be. */
export interface MeshTestFunction {
  readonly name: string;
  run(ask: Ask): void | Promise<void>;
}

/** Tests of one file, and the mesh they are about. */
export interface MeshTestSuite {
  readonly file: string;
  /** Files and directories of YAML. */
  readonly mesh: readonly string[];
  readonly trustDomain: string;
  readonly tests: readonly PlacedTest[];
}

export interface PlacedTest {
  readonly name: string;
  /** `file:line:column`, or the file alone. */
  readonly place: string;
  readonly test: MeshTest | MeshTestFunction;
}
