/** When a module is asked. */
export type ModulePhase = "request" | "response";

/** How a module is run. @see weft.filters.http.module.v1.ModuleFilter */
export interface ModulePlan {
  /** Absolute. */
  readonly file: string;
  /** As JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly phases: readonly ModulePhase[];
  readonly timeoutMs: number;
  readonly memoryLimitMb: number;
  readonly maxPendingCalls: number;
  /** Of its content when it was configured: another content is another module. */
  readonly digest: string;
}

/** Whatever makes the same module: two filters with equal keys may share a thread. */
export function moduleKey(plan: ModulePlan): string {
  return JSON.stringify([
    plan.digest,
    plan.file,
    plan.config,
    plan.phases,
    plan.timeoutMs,
    plan.memoryLimitMb,
    plan.maxPendingCalls,
  ]);
}
