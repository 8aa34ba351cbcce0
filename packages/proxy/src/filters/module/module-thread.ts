import { Worker } from "node:worker_threads";
import type { ModuleAnswer, ModuleCall, ModuleStart } from "./module-messages.ts";
import type { ModulePlan } from "./module-plan.ts";

/** A running thread. */
export interface ModuleThread {
  post(call: ModuleCall): void;
  /** Ends it, whatever it does at the moment. Nothing is heard of it afterwards. */
  stop(): void;
}

export interface ModuleThreadEvents {
  onAnswer(answer: ModuleAnswer): void;
  /** It has ended by itself. */
  onGone(reason: string): void;
}

/** Beside the sources it is a source; the bundle holds it one folder up from its chunks. */
const program = import.meta.filename.endsWith(".ts") ? "./filter-worker.ts" : "../filter-worker.js";
const youngGenerationMb = 8;

/** Starts a thread for a module. It does not keep the process alive. */
export function startModuleThread(plan: ModulePlan, events: ModuleThreadEvents): ModuleThread {
  const { file, config, phases, memoryLimitMb } = plan;
  const worker = new Worker(new URL(program, import.meta.url), {
    workerData: { file, config, phases, memoryLimitMb } satisfies ModuleStart,
    resourceLimits: { maxOldGenerationSizeMb: memoryLimitMb, maxYoungGenerationSizeMb: youngGenerationMb },
    execArgv: [],
    name: "filter module",
  });
  worker.unref();
  let isOver = false;
  const end = (reason: string) => {
    if (isOver) return;
    isOver = true;
    events.onGone(reason);
  };
  worker.on("message", (answer: ModuleAnswer) => {
    if (!isOver) events.onAnswer(answer);
  });
  worker.on("error", (error) => end(error instanceof Error ? error.message : String(error)));
  worker.on("exit", (code) => end(`it ended with code ${code}`));
  return {
    post: (call) => worker.postMessage(call),
    stop() {
      isOver = true;
      void worker.terminate();
    },
  };
}
