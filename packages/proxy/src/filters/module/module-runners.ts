import { type ModulePlan, moduleKey } from "./module-plan.ts";
import { ModuleRunner, type ModuleRunnerDependencies } from "./module-runner.ts";

/**
 * The modules of a process that listeners hold, so that a listener whose filter
 * stays the same keeps the thread, and what the module remembers, when it is
 * replaced.
 */
export class ModuleRunners {
  readonly #deps: ModuleRunnerDependencies;
  readonly #held = new Map<string, ModuleRunner>();

  constructor(deps: ModuleRunnerDependencies) {
    this.#deps = deps;
  }

  /** Runs nothing until it is held or called. */
  get(plan: ModulePlan): ModuleRunner {
    return this.#held.get(moduleKey(plan)) ?? new ModuleRunner(plan, this.#deps);
  }

  /** Keeps a module's thread running until the function given back is called. */
  hold(plan: ModulePlan, runner: ModuleRunner, onLost: () => void): () => void {
    const key = moduleKey(plan);
    this.#held.set(key, runner);
    const release = runner.hold(onLost);
    return () => {
      release();
      if (!runner.isHeld && this.#held.get(key) === runner) this.#held.delete(key);
    };
  }
}
