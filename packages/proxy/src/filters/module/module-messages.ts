import type { CheckedDecision } from "./module-decision.ts";
import type { ModulePhase } from "./module-plan.ts";

/** What the thread of a module is started with. */
export interface ModuleStart {
  readonly file: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly phases: readonly ModulePhase[];
  readonly memoryLimitMb: number;
}

export interface RequestMessage {
  readonly phase: "request";
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  /** Flat: name, value, … */
  readonly headers: readonly string[];
  readonly body: Uint8Array | undefined;
}

export interface ResponseMessage {
  readonly phase: "response";
  readonly status: number;
  /** Flat: name, value, … */
  readonly headers: readonly string[];
  readonly request: { readonly method: string; readonly path: string; readonly authority: string };
}

export type CallMessage = RequestMessage | ResponseMessage;

/** To the thread. */
export interface ModuleCall {
  readonly id: number;
  readonly message: CallMessage;
}

/** From the thread. What a module decided is checked before it is passed on, which also bounds it. */
export type ModuleAnswer =
  | { readonly t: "ready" }
  | { readonly t: "unusable"; readonly reason: string }
  | { readonly t: "overgrown"; readonly bytes: number }
  | { readonly t: "decision"; readonly id: number; readonly decision: CheckedDecision }
  | { readonly t: "thrown"; readonly id: number; readonly reason: string };
