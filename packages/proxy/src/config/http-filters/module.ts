import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { messageOf } from "@weft/base/errors";
import {
  ModuleFilter_Phase,
  ModuleFilterSchema,
  type ModuleFilter_Phase as Phase,
} from "@weft/xds/gen/weft/filters/http/module/v1/module_filter_pb";
import { createModuleFilter, moduleFilterStats } from "../../filters/module/module-filter.ts";
import type { ModulePhase, ModulePlan } from "../../filters/module/module-plan.ts";
import { timeoutMs } from "../decode-values.ts";
import { at, type Issues } from "../issues.ts";
import { httpFilterType } from "./http-filter-type.ts";

const defaultTimeoutMs = 1_000;
const defaultMemoryMb = 64;
/** Less is not enough for a thread to load a module in. */
const minMemoryMb = 16;
const maxMemoryMb = 4_096;
const defaultPendingCalls = 256;
const maxPendingCalls = 65_536;

export const moduleFilter = httpFilterType(
  ModuleFilterSchema,
  (message, { name, statPrefix, path }, { issues, services }) => {
    const { stats, modules } = services;
    const limitMs = timeoutMs(message.timeout, defaultTimeoutMs, at(path, "timeout"), issues);
    if (limitMs === 0) issues.add(at(path, "timeout"), "is 0", "give the module some time");
    const memory = message.memoryLimitMb ?? defaultMemoryMb;
    refuseOutside(memory, minMemoryMb, maxMemoryMb, at(path, "memory_limit_mb"), issues);
    const pending = message.maxPendingCalls ?? defaultPendingCalls;
    refuseOutside(pending, 1, maxPendingCalls, at(path, "max_pending_calls"), issues);
    const phases = decodePhases(message.phases, at(path, "phases"), issues);
    if (message.maxRequestBytes > 0 && !phases.includes("request")) {
      issues.add(
        at(path, "max_request_bytes"),
        "bodies are for phase REQUEST",
        "add the phase, or remove this",
      );
    }
    const module: ModulePlan = {
      file: message.module,
      digest: digestOf(message.module, at(path, "module"), issues),
      config: message.config ?? {},
      phases,
      timeoutMs: limitMs,
      memoryLimitMb: memory,
      maxPendingCalls: pending,
    };
    return createModuleFilter(
      {
        module,
        allowsOnFailure: message.failureModeAllow,
        refreshesRoute: message.clearRouteCache,
        maxBodyBytes: message.maxRequestBytes,
      },
      modules.get(module),
      modules,
      moduleFilterStats(stats, statPrefix, name),
      name,
    );
  },
);

/** Of the module as it is now; the thread reads it again. */
function digestOf(file: string, path: string, issues: Issues): string {
  if (!isAbsolute(file)) {
    issues.add(path, `${JSON.stringify(file)} is not an absolute path`, "give the path of the module's file");
    return "";
  }
  try {
    return createHash("sha256").update(readFileSync(file)).digest("base64");
  } catch (error) {
    issues.add(path, `cannot read ${file}: ${messageOf(error)}`);
    return "";
  }
}

function decodePhases(phases: readonly Phase[], path: string, issues: Issues): readonly ModulePhase[] {
  const decoded: ModulePhase[] = [];
  phases.forEach((phase, i) => {
    const known = phaseNames[phase];
    if (!known) issues.add(`${path}[${i}]`, `${phase} is not a phase`, "REQUEST or RESPONSE");
    else if (decoded.includes(known)) issues.add(`${path}[${i}]`, "stands twice");
    else decoded.push(known);
  });
  if (phases.length === 0) issues.add(path, "is empty", "say when to ask the module: REQUEST, RESPONSE");
  return decoded;
}

const phaseNames: Readonly<Partial<Record<Phase, ModulePhase>>> = {
  [ModuleFilter_Phase.REQUEST]: "request",
  [ModuleFilter_Phase.RESPONSE]: "response",
};

function refuseOutside(value: number, min: number, max: number, path: string, issues: Issues): void {
  if (value < min || value > max) issues.add(path, `${value} is out of range`, `between ${min} and ${max}`);
}
