import type { Counter } from "@weft/base/metric-registry";
import type { DynamicMetadata } from "../../layer/dynamic-metadata.ts";
import { noteMetadata } from "../../layer/dynamic-metadata.ts";
import { routeLevelsOf } from "../../layer/filter-chain.ts";
import type { FilterExchange } from "../../layer/filter-exchange.ts";
import type { HeaderList } from "../../layer/header-list.ts";
import type { FilterStatus, HttpFilter } from "../../layer/http-filter.ts";
import { ResponseFlag } from "../../layer/response-flag.ts";
import type { EnvoyStats } from "../../telemetry/envoy-stats.ts";
import type { Callout } from "../callout.ts";
import { parseQuery, withoutParameter, withParameter, withQuery } from "../query-parameters.ts";
import type { AuthorizationVerdict, Authorize, AuthorizedField } from "./authorization.ts";

/** @see envoy.extensions.filters.http.ext_authz.v3.BufferSettings */
export interface AuthorizedBody {
  readonly maxBytes: number;
  /** Asks with what is there when the body is larger; otherwise it is refused with 413. */
  readonly allowsPartial: boolean;
}

/** @see envoy.extensions.filters.http.ext_authz.v3.ExtAuthz */
export interface ExtAuthzPlan {
  readonly authorize: Authorize;
  readonly body: AuthorizedBody | undefined;
  /** Lets requests through while the service does not answer. */
  readonly allowsOnFailure: boolean;
  /** Tells the upstream that nobody was asked. */
  readonly marksAllowedFailure: boolean;
  readonly statusOnError: number;
  readonly refreshesRoute: boolean;
  /** Share of requests that are checked, 0 to 1. */
  readonly enabled: number;
  readonly isEnabledFor: ((metadata: DynamicMetadata | undefined) => boolean) | undefined;
  readonly deniesAtDisable: boolean;
  /** Which request headers the service sees. */
  readonly showsHeader: (name: string) => boolean;
}

/** What one level of route configuration says. @see ExtAuthzPerRoute */
export interface ExtAuthzRouteConfig {
  readonly isDisabled: boolean;
  readonly context: Readonly<Record<string, string>>;
  /** Undefined inherits; "none" does not buffer. */
  readonly body: AuthorizedBody | "none" | undefined;
  /** In place of the filter's own service. */
  readonly authorize: Authorize | undefined;
}

/** Envoy's `http.<stat_prefix>.ext_authz.*` counters. */
export interface ExtAuthzStats {
  readonly ok: Counter;
  readonly denied: Counter;
  readonly error: Counter;
  readonly disabled: Counter;
  readonly failureModeAllowed: Counter;
}

export function extAuthzStats(stats: EnvoyStats, statPrefix: string, ownPrefix: string): ExtAuthzStats {
  const own = ownPrefix === "" ? "" : `${ownPrefix}.`;
  const counter = (name: string) =>
    stats.counter(`http.{envoy_http_conn_manager_prefix}.ext_authz.${own}${name}`, statPrefix);
  return {
    ok: counter("ok"),
    denied: counter("denied"),
    error: counter("error"),
    disabled: counter("disabled"),
    failureModeAllowed: counter("failure_mode_allowed"),
  };
}

export interface ExtAuthzDependencies {
  readonly stats: ExtAuthzStats;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

interface State {
  call: Callout | undefined;
  isOver: boolean;
  responseFields: readonly AuthorizedField[];
}

export const extAuthzMetadataName = "envoy.filters.http.ext_authz";

/**
 * Asks a service whether a request may pass, and does what it says: refuses it,
 * or lets it through with other headers, parameters and metadata.
 *
 * Stands after authentication, whose findings the service may be told. While the
 * service does not answer, requests are refused unless configured otherwise.
 */
export function createExtAuthzFilter(
  plan: ExtAuthzPlan,
  { stats, random }: ExtAuthzDependencies,
  name: string,
): HttpFilter {
  const folded = new WeakMap<readonly ExtAuthzRouteConfig[], ExtAuthzRouteConfig>();

  function routeOf(exchange: FilterExchange): ExtAuthzRouteConfig | undefined {
    const levels = routeLevelsOf<ExtAuthzRouteConfig>(exchange, name);
    if (!levels) return undefined;
    let config = folded.get(levels);
    if (!config) {
      config = levels.reduce(overlay);
      folded.set(levels, config);
    }
    return config;
  }

  function isEnabled(exchange: FilterExchange): boolean {
    if (plan.enabled < 1 && random() >= plan.enabled) return false;
    return plan.isEnabledFor?.(exchange.dynamicMetadata) ?? true;
  }

  function ask(
    exchange: FilterExchange,
    config: ExtAuthzRouteConfig | undefined,
    body: Buffer | undefined,
    isPartial: boolean,
  ): void {
    const state: State = { call: undefined, isOver: false, responseFields: [] };
    exchange.filterState ??= new Map();
    exchange.filterState.set(name, state);
    const authorize = config?.authorize ?? plan.authorize;
    state.call = authorize(
      {
        exchange,
        body,
        isPartial,
        headers: shown(exchange.request!.headers, plan.showsHeader),
        context: config?.context ?? noContext,
      },
      (verdict) => {
        if (state.isOver) return;
        state.call = undefined;
        decide(exchange, state, verdict);
      },
    );
  }

  function decide(exchange: FilterExchange, state: State, verdict: AuthorizationVerdict): void {
    if (verdict.kind !== "error" && verdict.metadata) {
      noteMetadata(exchange, extAuthzMetadataName, new Map(verdict.metadata));
    }
    switch (verdict.kind) {
      case "ok":
        stats.ok.add();
        state.responseFields = verdict.responseFields;
        if (applyOk(exchange, verdict) && plan.refreshesRoute) exchange.refreshRoute();
        exchange.resume();
        return;
      case "denied":
        stats.denied.add();
        exchange.replyWith(
          verdict.status,
          verdict.body,
          "ext_authz_denied",
          ResponseFlag.UnauthorizedExternalService,
          verdict.fields.flatMap((field) => [field.name, field.value]),
        );
        return;
      case "error":
        stats.error.add();
        if (plan.allowsOnFailure) {
          stats.failureModeAllowed.add();
          if (plan.marksAllowedFailure) {
            exchange.request!.headers.append("x-envoy-auth-failure-mode-allowed", "true");
          }
          exchange.resume();
          return;
        }
        fail(exchange);
    }
  }

  function fail(exchange: FilterExchange): void {
    const flag = ResponseFlag.UnauthorizedExternalService;
    exchange.reply(plan.statusOnError, "", "ext_authz_error", flag);
  }

  function buffered(
    exchange: FilterExchange,
    config: ExtAuthzRouteConfig | undefined,
    { maxBytes, allowsPartial }: AuthorizedBody,
  ): void {
    exchange.bufferRequest(maxBytes, (chunks, isComplete) => {
      if (!isComplete && !allowsPartial) {
        exchange.reply(413, "Payload Too Large", "request_payload_too_large");
        return;
      }
      ask(exchange, config, Buffer.concat(chunks).subarray(0, maxBytes), !isComplete);
    });
  }

  return {
    name,
    onRequest(exchange): FilterStatus {
      const config = routeOf(exchange);
      if (config?.isDisabled) return "continue";
      if (!isEnabled(exchange)) {
        stats.disabled.add();
        if (!plan.deniesAtDisable) return "continue";
        fail(exchange);
        return "stop";
      }
      const body = config?.body ?? plan.body;
      const hasBody = exchange.hasRequestBody && exchange.request!.upgrade === "";
      if (body && body !== "none" && hasBody) buffered(exchange, config, body);
      else ask(exchange, config, undefined, false);
      return "stop";
    },
    onResponse(exchange): FilterStatus {
      const state = exchange.filterState?.get(name) as State | undefined;
      if (state) for (const field of state.responseFields) applyField(exchange.response!.headers, field);
      return "continue";
    },
    onComplete(exchange) {
      const state = exchange.filterState?.get(name) as State | undefined;
      if (!state) return;
      state.isOver = true;
      state.call?.cancel();
    },
  };
}

const noContext: Readonly<Record<string, string>> = {};

function overlay(general: ExtAuthzRouteConfig, specific: ExtAuthzRouteConfig): ExtAuthzRouteConfig {
  return {
    isDisabled: specific.isDisabled,
    context: { ...general.context, ...specific.context },
    body: specific.body ?? general.body,
    authorize: specific.authorize ?? general.authorize,
  };
}

function shown(headers: HeaderList, isShown: (name: string) => boolean): readonly string[] {
  const { flat } = headers;
  const list: string[] = [];
  for (let i = 0; i < flat.length; i += 2) if (isShown(flat[i]!)) list.push(flat[i]!, flat[i + 1]!);
  return list;
}

/** Whether anything was changed. */
function applyOk(exchange: FilterExchange, verdict: Extract<AuthorizationVerdict, { kind: "ok" }>): boolean {
  const request = exchange.request!;
  const { requestFields, fieldsToRemove, parametersToSet, parametersToRemove } = verdict;
  for (const field of requestFields) applyField(request.headers, field);
  for (const name of fieldsToRemove) {
    if (!name.startsWith(":") && name !== "host") request.headers.remove(name);
  }
  if (parametersToSet.length + parametersToRemove.length > 0) {
    let parameters = parseQuery(request.path);
    for (const [key, value] of parametersToSet) parameters = withParameter(parameters, key, value);
    for (const key of parametersToRemove) parameters = withoutParameter(parameters, key);
    request.path = withQuery(request.path, parameters);
  }
  const count = requestFields.length + fieldsToRemove.length + parametersToSet.length;
  return count + parametersToRemove.length > 0;
}

/** Neither pseudo-headers nor the host are a service's to change: they have decided the route. */
function applyField(headers: HeaderList, { name, value, action }: AuthorizedField): void {
  if (name.startsWith(":") || name === "host") return;
  switch (action) {
    case "set":
      headers.set(name, value);
      return;
    case "append":
      if (headers.has(name)) headers.set(name, `${headers.getAll(name)},${value}`);
      return;
    case "add":
      headers.append(name, value);
      return;
    case "add-if-absent":
      if (!headers.has(name)) headers.append(name, value);
      return;
    case "set-if-exists":
      if (headers.has(name)) headers.set(name, value);
  }
}
