import type { Counter } from "@weft/base/metric-registry";
import type { FilterExchange } from "../../layer/filter-exchange.ts";
import type { HeaderList } from "../../layer/header-list.ts";
import type { HttpFilter } from "../../layer/http-filter.ts";
import type { EnvoyStats } from "../../telemetry/envoy-stats.ts";
import type { CheckedEdits } from "./module-decision.ts";
import type { CallMessage } from "./module-messages.ts";
import type { ModulePlan } from "./module-plan.ts";
import type { ModuleFailure, ModuleRunner } from "./module-runner.ts";
import type { ModuleRunners } from "./module-runners.ts";

/** What the filter does beside running the module. @see weft.filters.http.module.v1.ModuleFilter */
export interface ModuleFilterPlan {
  readonly module: ModulePlan;
  /** Lets pass what the module cannot decide. */
  readonly allowsOnFailure: boolean;
  /** Chooses the route anew after edits. */
  readonly refreshesRoute: boolean;
  /** Of a request, for the module; 0 hands it none. */
  readonly maxBodyBytes: number;
}

/** Counted as `http.<stat_prefix>.module.<filter name>.*`. */
export interface ModuleFilterStats {
  readonly continued: Counter;
  readonly responded: Counter;
  readonly failures: Readonly<Record<ModuleFailure, Counter>>;
  readonly failureModeAllowed: Counter;
  readonly restarts: Counter;
}

export function moduleFilterStats(stats: EnvoyStats, statPrefix: string, name: string): ModuleFilterStats {
  const counter = (what: string) =>
    stats.counter(`http.{envoy_http_conn_manager_prefix}.module.{weft_filter}.${what}`, statPrefix, name);
  return {
    continued: counter("continued"),
    responded: counter("responded"),
    failures: {
      timeout: counter("timeout"),
      error: counter("error"),
      overflow: counter("overflow"),
      unavailable: counter("unavailable"),
    },
    failureModeAllowed: counter("failure_mode_allowed"),
    restarts: counter("restarts"),
  };
}

interface State {
  cancel: () => void;
  /** It has answered the request itself: the answer is not shown to the module. */
  hasReplied: boolean;
}

/**
 * Has a user's module decide on requests and responses, in a thread of its own.
 *
 * The event loop never waits for it: an exchange stands still until the module
 * has decided or its time is over, and others go on meanwhile.
 */
export function createModuleFilter(
  plan: ModuleFilterPlan,
  runner: ModuleRunner,
  runners: ModuleRunners,
  stats: ModuleFilterStats,
  name: string,
): HttpFilter {
  function ask(exchange: FilterExchange, message: CallMessage, go: (edits: CheckedEdits) => void): void {
    const state: State = { cancel: () => {}, hasReplied: false };
    exchange.filterState ??= new Map();
    exchange.filterState.set(name, state);
    const goOn = () => {
      if (message.phase === "request") exchange.resume();
      else exchange.resumeResponse();
    };
    const fail = (failure: ModuleFailure) => {
      stats.failures[failure].add();
      if (plan.allowsOnFailure) {
        stats.failureModeAllowed.add();
        goOn();
        return;
      }
      state.hasReplied = true;
      exchange.reply(503, "", `module_filter_${failure}`);
    };
    state.cancel = runner.call(message, (result) => {
      if (result.kind === "failure") {
        fail(result.failure);
        return;
      }
      const { decision } = result;
      if (decision.kind === "respond") {
        stats.responded.add();
        state.hasReplied = true;
        const { status, body, fields } = decision;
        const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
        exchange.replyWith(status, bytes, "module_filter_responded", 0, fields);
        return;
      }
      stats.continued.add();
      if (decision.edits) go(decision.edits);
      goOn();
    });
  }

  function askRequest(exchange: FilterExchange, body: Uint8Array | undefined): void {
    const { method, path, authority, scheme, headers } = exchange.request!;
    ask(
      exchange,
      { phase: "request", method, path, authority, scheme, headers: headers.flat, body },
      (edits) => {
        applyEdits(headers, edits);
        if (plan.refreshesRoute) exchange.refreshRoute();
      },
    );
  }

  const onRequest: HttpFilter["onRequest"] = (exchange) => {
    if (plan.maxBodyBytes === 0 || exchange.request!.upgrade !== "") askRequest(exchange, undefined);
    else {
      exchange.bufferRequest(plan.maxBodyBytes, (chunks, isComplete) => {
        // A copy of its own: a buffer from the pool would be passed on with all that is in the pool.
        if (isComplete) askRequest(exchange, new Uint8Array(Buffer.concat(chunks)));
        else exchange.reply(413, "Payload Too Large", "request_payload_too_large");
      });
    }
    return "stop";
  };

  const onResponse: HttpFilter["onResponse"] = (exchange) => {
    const state = exchange.filterState?.get(name) as State | undefined;
    if (state?.hasReplied) return "continue";
    const { method, path, authority } = exchange.request!;
    const { status, headers } = exchange.response!;
    const request = { method, path, authority };
    ask(exchange, { phase: "response", status, headers: headers.flat, request }, (edits) =>
      applyEdits(headers, edits),
    );
    return "stop";
  };

  return {
    name,
    ...(plan.module.phases.includes("request") && { onRequest }),
    ...(plan.module.phases.includes("response") && { onResponse }),
    onComplete(exchange) {
      (exchange.filterState?.get(name) as State | undefined)?.cancel();
    },
    onListening() {
      return runners.hold(plan.module, runner, () => stats.restarts.add());
    },
  };
}

function applyEdits(headers: HeaderList, { remove, set, add }: CheckedEdits): void {
  for (const name of remove) headers.remove(name);
  for (let i = 0; i < set.length; i += 2) headers.set(set[i]!, set[i + 1]!);
  for (let i = 0; i < add.length; i += 2) headers.append(add[i]!, add[i + 1]!);
}
