/**
 * The thread of one module: loads it, and passes each call to it and each
 * decision back. Another entry of the program, never imported.
 */
import { pathToFileURL } from "node:url";
import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import type { CreateFilter, FilterRequest, FilterResponse, ModuleFilter } from "./filter-module.ts";
import { FlatFields } from "./flat-fields.ts";
import { checkDecision } from "./module-decision.ts";
import type { CallMessage, ModuleAnswer, ModuleCall, ModuleStart } from "./module-messages.ts";

const port = parentPort!;
const start: ModuleStart = workerData;
const handlers = { request: "onRequest", response: "onResponse" } as const;
/** Answers between two looks at memory outside the heap, which the thread's limit does not count. */
const memoryCheckEvery = 64;
const bytesPerMb = 1024 * 1024;
let answers = 0;

const tell = (answer: ModuleAnswer) => port.postMessage(answer);

try {
  const filter = await load();
  port.on("message", (call: ModuleCall) => run(filter, call));
  tell({ t: "ready" });
} catch (error) {
  tell({ t: "unusable", reason: reasonOf(error) });
}

async function load(): Promise<ModuleFilter> {
  const module: { readonly default?: unknown } = await import(pathToFileURL(start.file).href);
  if (typeof module.default !== "function") throw new TypeError("its default export is not a function");
  const filter: unknown = await (module.default as CreateFilter)(start.config);
  if (typeof filter !== "object" || filter === null) throw new TypeError("its function gives no filter");
  for (const phase of start.phases) {
    const name = handlers[phase];
    if (typeof (filter as ModuleFilter)[name] !== "function") {
      throw new TypeError(`its filter has no ${name}, which the configuration's phases ask for`);
    }
  }
  return filter;
}

function run(filter: ModuleFilter, { id, message }: ModuleCall): void {
  try {
    const given = ask(filter, message);
    if (given instanceof Promise) {
      given.then((decision) => answer(id, decision)).catch((error: unknown) => fail(id, error));
    } else answer(id, given);
  } catch (error) {
    fail(id, error);
  }
}

function fail(id: number, error: unknown): void {
  tell({ t: "thrown", id, reason: reasonOf(error) });
}

function ask(filter: ModuleFilter, message: CallMessage): ReturnType<NonNullable<ModuleFilter["onRequest"]>> {
  const headers = new FlatFields(message.headers);
  if (message.phase === "request") {
    const { method, path, authority, scheme, body } = message;
    const request: FilterRequest = { method, path, authority, scheme, headers, body };
    return filter.onRequest!(request);
  }
  const response: FilterResponse = { status: message.status, headers, request: message.request };
  return filter.onResponse!(response);
}

function answer(id: number, decision: unknown): void {
  tell({ t: "decision", id, decision: checkDecision(decision) });
  if (++answers % memoryCheckEvery !== 0) return;
  const { external_memory: bytes } = getHeapStatistics();
  if (bytes > start.memoryLimitMb * bytesPerMb) tell({ t: "overgrown", bytes });
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).slice(0, 500);
}
